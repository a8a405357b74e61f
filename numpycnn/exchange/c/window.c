/* The geometry of a pool. */
struct window {
    int w, c, oh, ow, kh, kw, sh, sw; /* columns and channels of x; y; window; stride */
};
