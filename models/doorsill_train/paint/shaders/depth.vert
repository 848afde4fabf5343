#version 330
uniform mat4 VP, M; in vec3 pos; void main() { gl_Position = VP * M * vec4(pos, 1); }
