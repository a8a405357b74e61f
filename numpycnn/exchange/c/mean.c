/* y = floor((b + the sum of the window) * q / 2^shift + zero + 1/2), 1 / size being in q. */
struct mean {
    struct window at;
    int32_t b, q;
    int shift, zero;
};

static void mean(const struct mean *l, const uint8_t *x, uint8_t *y) {
    const struct window *a = &l->at;
    int64_t half = (2 * l->zero + 1) * ((int64_t)1 << (l->shift - 1));
    for (int i = 0; i < a->oh; i++)
        for (int j = 0; j < a->ow; j++)
            for (int c = 0; c < a->c; c++) {
                int32_t sum = l->b;
                for (int di = 0; di < a->kh; di++)
                    for (int dj = 0; dj < a->kw; dj++)
                        sum += x[((i * a->sh + di) * a->w + j * a->sw + dj) * a->c + c];
                int64_t moved = (int64_t)sum * l->q + half;
                int64_t rounded = moved < 0 ? 0 : moved >> l->shift;
                *y++ = rounded > 255 ? 255 : (uint8_t)rounded;
            }
}
