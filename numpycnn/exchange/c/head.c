/* The last layer: logits[k] = bias[k] + the sum over c of weights[k][c] * (the sum of x[p][c] over
   all pixels p). With more than one pixel this is the global average pool and the dense layer: the
   division is in the scale of the logits. */
struct head {
    int pixels, c, f;
    const int8_t *weights;        /* [f][c] */
    const int32_t *bias;
};

static void head(const struct head *l, const uint8_t *x, int32_t *logits) {
    for (int k = 0; k < l->f; k++) logits[k] = l->bias[k];
    for (int c = 0; c < l->c; c++) {
        int32_t sum = 0;
        for (int p = 0; p < l->pixels; p++) sum += x[p * l->c + c];
        for (int k = 0; k < l->f; k++) logits[k] += l->weights[k * l->c + c] * sum;
    }
}
