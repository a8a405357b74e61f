/* y[i] = floor((b + the sum over k of q[k] * x[k][i]) / 2^shift), at least 0 and at most 255.
   b holds the zeros of all, and the half that rounds. */
struct add {
    int n, branches, shift;
    int64_t b;
    const int32_t *q;
};

static void add(const struct add *l, const uint8_t *const x[], uint8_t *y) {
    for (int i = 0; i < l->n; i++) {
        int64_t sum = l->b;
        for (int k = 0; k < l->branches; k++) sum += (int64_t)l->q[k] * x[k][i];
        int64_t rounded = sum < 0 ? 0 : sum >> l->shift;
        y[i] = rounded > 255 ? 255 : (uint8_t)rounded;
    }
}
