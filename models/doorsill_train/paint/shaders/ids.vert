#version 330
uniform mat4 VP, M; in vec3 pos; in vec2 tag; out vec2 t;
void main() { t = tag; gl_Position = VP * M * vec4(pos, 1); }
