#version 330
uniform float id; in vec2 t; out vec4 o;
void main() { o = vec4(id/255., t.y > .5 ? 1. : 0., 0, 1); }
