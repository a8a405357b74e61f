/* What stands behind the sums of a convolution or a dense layer, filter by filter. */
struct outputs {
    const int32_t *bias, *q;      /* the sum begins with bias; q / 2^shift is the scales' ratio */
    const uint8_t *shift;
    const int32_t *slope;         /* q below zero (LeakyReLU, PReLU), or NULL */
    const uint8_t *table;         /* 1024 codes of an activation, or NULL */
    int zero;                     /* the code of 0 */
};

/* floor(sum * q / 2^shift + zero + 1/2), at least 0 and at most 255, or the table's code there. */
static uint8_t code(const struct outputs *out, int k, int32_t sum) {
    int32_t top = out->table ? 1023 : 255;
    int64_t q = out->slope && sum < 0 ? out->slope[k] : out->q[k];
    int64_t moved = sum * q + (2 * out->zero + 1) * ((int64_t)1 << (out->shift[k] - 1));
    int64_t rounded = moved < 0 ? 0 : moved >> out->shift[k];
    int32_t index = rounded > top ? top : (int32_t)rounded;
    return out->table ? out->table[index] : (uint8_t)index;
}

/* sum[t] += row t of w . x, for four rows of n weights, `next` apart: x is read once for all. */
#if defined(__ARM_FEATURE_DSP) && !defined(NO_DSP) && defined(__GNUC__)
/* The instructions of a Cortex-M4 that multiply and add twice. sxtb16 makes two numbers of 16 bits
   of the first and third of four bytes; with ror, of the second and fourth. */
#define FOUR_MORE(w, sum)                                                                         \
    __asm__("ldr    %0, [%2], #4      \n\t"                                                       \
            "sxtb16 %1, %0            \n\t"                                                       \
            "sxtb16 %0, %0, ror #8    \n\t"                                                       \
            "smlad  %3, %1, %4, %3    \n\t"                                                       \
            "smlad  %3, %0, %5, %3"                                                               \
            : "=&r"(a), "=&r"(b), "+&r"(w), "+&r"(sum) : "r"(even), "r"(odd))

static __attribute__((noinline)) void dots(const uint8_t *x, const int8_t *w, int n, int next,
                                           int32_t sum[4]) {
    const int8_t *w0 = w, *w1 = w0 + next, *w2 = w1 + next, *w3 = w2 + next;
    int32_t s0 = sum[0], s1 = sum[1], s2 = sum[2], s3 = sum[3];
    for (int fours = n / 4; fours > 0; fours--) {
        uint32_t even, odd, a, b;
        __asm__("ldr    %0, [%2], #4      \n\t"
                "uxtb16 %1, %0, ror #8    \n\t"
                "uxtb16 %0, %0"
                : "=&r"(even), "=&r"(odd), "+&r"(x));
        FOUR_MORE(w0, s0);
        FOUR_MORE(w1, s1);
        FOUR_MORE(w2, s2);
        FOUR_MORE(w3, s3);
    }
    for (n %= 4; n > 0; n--, x++) {
        s0 += *w0++ * *x;
        s1 += *w1++ * *x;
        s2 += *w2++ * *x;
        s3 += *w3++ * *x;
    }
    sum[0] = s0, sum[1] = s1, sum[2] = s2, sum[3] = s3;
}
#else
static void dots(const uint8_t *x, const int8_t *w, int n, int next, int32_t sum[4]) {
    int32_t s0 = sum[0], s1 = sum[1], s2 = sum[2], s3 = sum[3];
    for (int i = 0; i < n; i++) {
        s0 += w[i] * x[i];
        s1 += w[i + next] * x[i];
        s2 += w[i + 2 * next] * x[i];
        s3 += w[i + 3 * next] * x[i];
    }
    sum[0] = s0, sum[1] = s1, sum[2] = s2, sum[3] = s3;
}
#endif

/* y[k] = code(bias[k] + weights[k] . x) for f filters of n weights; with `keep` the larger of that
   and what y[k] was. Four filters at a time: the last four may be in part those before. */
static void filters(const uint8_t *x, const int8_t *weights, int n, int f,
                    const struct outputs *out, uint8_t *y, int keep) {
    int group = f < 4 ? 1 : 4;
    for (int k = 0; k < f; k += group) {
        if (k > f - group) k = f - group;
        const int32_t *b = out->bias + k;
        int32_t sum[4] = {0};
        for (int t = 0; t < group && t < 4; t++) sum[t] = b[t]; /* t < 4: for gcc's warnings */
        dots(x, weights + k * n, n, group < 4 ? 0 : n, sum);
        for (int t = 0; t < group; t++) {
            uint8_t found = code(out, k + t, sum[t]);
            if (!keep || found > y[k + t]) y[k + t] = found;
        }
    }
}
