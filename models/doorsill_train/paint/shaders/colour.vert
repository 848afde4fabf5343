#version 330
uniform mat4 VP, M, LVP; uniform vec3 pal[16];
in vec3 pos, nrm, rest, col; in vec2 tag;
out vec3 n, r, c, w; out vec4 lp; out vec2 t;
void main() {
  vec4 x = M * vec4(pos, 1); w = x.xyz; n = mat3(M) * nrm; r = rest; t = tag;
  c = col * pal[int(tag.x + .5)]; lp = LVP * x; gl_Position = VP * x;
}
