/* y = the largest code of the window. */
static void max_pool(const struct window *a, const uint8_t *x, uint8_t *y) {
    for (int i = 0; i < a->oh; i++)
        for (int j = 0; j < a->ow; j++)
            for (int c = 0; c < a->c; c++) {
                uint8_t best = 0;
                for (int di = 0; di < a->kh; di++)
                    for (int dj = 0; dj < a->kw; dj++) {
                        uint8_t v = x[((i * a->sh + di) * a->w + j * a->sw + dj) * a->c + c];
                        if (v > best) best = v;
                    }
                *y++ = best;
            }
}
