/* A convolution, its activation and the pool behind it. */
struct conv {
    int h, w, c;                  /* of x: rows, columns, channels */
    int oh, ow, f;                /* of y */
    int kh, kw, sh, sw;           /* kernel, stride */
    int top, left, outside;       /* rows and columns outside, and the code that stands there */
    int pool;                     /* y holds the largest of pool x pool outputs */
    const int8_t *weights;        /* [f][kh][kw][c] */
    struct outputs out;
};

/* patch[di][dj] = x[i * sh - top + di][j * sw - left + dj]: what the filters see at i, j. */
static void copy_patch(const struct conv *l, const uint8_t *x, int i, int j, uint8_t *patch) {
    int column = j * l->sw - l->left, c = l->c;
    int from = column < 0 ? -column : 0; /* the kernel's columns inside: from <= dj < to */
    int to = column + l->kw > l->w ? l->w - column : l->kw;
    for (int di = 0; di < l->kh; di++, patch += l->kw * c) {
        int row = i * l->sh - l->top + di;
        int inside = row >= 0 && row < l->h && from < to;
        if (!inside || to - from < l->kw) memset(patch, l->outside, l->kw * c);
        if (inside)
            memcpy(patch + from * c, x + (row * l->w + column + from) * c, (to - from) * c);
    }
}

/* y[i][j][k] = the largest code(bias[k] + weights[k] . patch) over the pool at i, j. */
static void conv(const struct conv *l, const uint8_t *x, uint8_t *y, uint8_t *patch) {
    for (int i = 0; i < l->oh; i++)
        for (int j = 0; j < l->ow; j++, y += l->f)
            for (int p = 0; p < l->pool * l->pool; p++) {
                copy_patch(l, x, i * l->pool + p / l->pool, j * l->pool + p % l->pool, patch);
                filters(patch, l->weights, l->kh * l->kw * l->c, l->f, &l->out, y, p > 0);
            }
}
