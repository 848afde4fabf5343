#version 330
uniform vec3 sun_to, sky, ground, sun, eye, col2; uniform int pat;
uniform float freq, gloss, shadows, below, layer; uniform vec2 polish; uniform sampler2D depth, mirror;
uniform sampler2DArray pictures;
in vec3 n, r, c, w; in vec4 lp; in vec2 t; out vec4 o;
float hash(vec3 p) { p = fract(p*.3183099+.1); p *= 17.; return fract(p.x*p.y*p.z*(p.x+p.y+p.z)); }
float noise(vec3 x) { vec3 i = floor(x), f = fract(x); f = f*f*(3.-2.*f);
  return mix(mix(mix(hash(i),hash(i+vec3(1,0,0)),f.x),mix(hash(i+vec3(0,1,0)),hash(i+vec3(1,1,0)),f.x),f.y),
    mix(mix(hash(i+vec3(0,0,1)),hash(i+vec3(1,0,1)),f.x),mix(hash(i+vec3(0,1,1)),hash(i+vec3(1,1,1)),f.x),f.y),f.z); }
vec2 wall() { return abs(n.x) > .6 ? w.zy : (abs(n.y) > .6 ? w.xz : w.xy); }
// A picture of the layer, mirrored at its edges so that it has no seam; linear light.
vec3 shown(vec2 q) { return pow(texture(pictures, vec3(1. - abs(mod(q, 2.) - 1.), layer)).rgb, vec3(2.2)); }
// What a shiny thing mirrors: a bright sky, the sun, a broken horizon, the ground.
vec3 around(vec3 d) {
  vec3 up = sky*(1. + smoothstep(0., .7, d.y)) + 4.*sun*pow(max(dot(d, sun_to), 0.), 90.);
  float far = .45*noise(vec3(normalize(d.xz + 1e-4)*4., freq));
  return mix(ground*(.35 + .4*noise(d*5.)), up, smoothstep(far - .04, far + .04, d.y)); }
void main() {
  if (below > .5 && w.y < 0.) discard;
  vec3 N = normalize(n), V = normalize(eye - w);
  if (dot(N, V) < 0.) N = -N;
  vec3 a = c; float k = 0.; vec2 q = wall() * freq;
  bool cloth = t.x > 2.5 && t.x < 6.5, any = t.x > 14.5;
  if (cloth) {
    bool worn = t.x < 3.5 || fract(freq*7.) < .3;
    if (!worn) k = 0.; else if (pat == 1) k = step(.5, fract(r.y*freq)); else if (pat == 2) k = step(.5, fract(r.x*freq));
    else if (pat == 3) k = .5*step(.5, fract(r.y*freq)) + .5*step(.5, fract(r.x*freq));
    else if (pat == 4) k = smoothstep(.4, .6, noise(r*freq));
    else if (pat == 5) k = step(abs(r.x), 1.)*step(abs(r.y-3.), 1.2)*step(.4, noise(r*3.));
    if (pat == 6 && worn) { vec3 d = shown(r.xy*freq*.1 + .3*r.z); a = mix(d, c*d*3.5, step(.5, fract(freq*5.))); }
    a *= .82 + .36*noise(r*2.3);
  } else if (any) {
    if (pat == 1) k = smoothstep(.35, .65, noise(w*freq*2.));
    else if (pat == 2) { vec2 i = floor(q); k = mod(i.x+i.y, 2.); }
    else if (pat == 3) { vec2 i = abs(fract(q)-.5); k = step(.47, max(i.x, i.y)); }
    else if (pat == 4) { float i = floor(q.x*3.), j = floor(q.y*.7+hash(vec3(i,2.,3.))*5.);
      k = .75*hash(vec3(i+.5,j+.5,1.)) + .25*noise(vec3(q.x*25.,0.,q.y*2.)); }
    else if (pat == 5) { float row = floor(q.y*5.); vec2 b = vec2(q.x*2.+.5*mod(row,2.), q.y*5.);
      vec2 f = fract(b); k = .6*hash(vec3(floor(b), 3.)) + step(f.x, .06) + step(f.y, .12); }
    else if (pat == 6) k = .5*noise(w*freq*3.)+.3*noise(w*freq*9.)+.4*step(.55, noise(w*freq*22.));
    if (pat == 7) a = c*shown(q*.35);
    a *= .93 + .14*noise(w*3.);
  } else if ((t.x > 7.5 && t.x < 8.5) || t.x > 12.5) a *= .4 + 1.2*noise(vec3(r.x*7., r.y*(1.2+fract(freq*3.)), r.z*7.));
  else a *= .9 + .2*noise(r*4.);
  a = mix(a, col2, clamp(k, 0., 1.));
  vec3 p = lp.xyz/lp.w*.5 + .5; float s = 1.;
  if (shadows > .5 && p.x > 0. && p.x < 1. && p.y > 0. && p.y < 1.) {
    s = 0.; for (int i = 0; i < 2; i++) for (int j = 0; j < 2; j++)
      s += step(p.z - .004, texture(depth, p.xy + (vec2(i, j) - .5)/400.).r)/4.; }
  vec3 H = normalize(sun_to + V);
  float near = mix(.72, 1., clamp(w.y*2.5, 0., 1.));
  if (any && n.y > .9 && w.y < .05) near = 1.;
  vec3 light = mix(ground, sky, N.y*.5 + .5)*near + sun*s*max(dot(N, sun_to), 0.);
  vec3 lit = a*light + gloss*s*sun*pow(max(dot(N, H), 0.), 24.);
  float graze = pow(1. - max(dot(N, V), 0.), 4.), shine = t.y < .5 ? t.y : 0.;
  if (shine > .005) lit = mix(lit, around(reflect(-V, N)), shine + (1. - shine)*.7*graze);
  if (polish.x > 0. && n.y > .9) {
    vec2 at = gl_FragCoord.xy/vec2(textureSize(mirror, 0)) + .006*(noise(w*6.) - .5);
    lit = mix(lit, textureLod(mirror, at, polish.y).rgb, polish.x*(.4 + .6*sqrt(graze))); }
  o = vec4(lit, 1);
}
