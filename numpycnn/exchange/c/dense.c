/* A hidden dense layer: y[k] = code(bias[k] + weights[k] . x). */
struct dense {
    int n, f;                     /* of x, of y */
    const int8_t *weights;        /* [f][n] */
    struct outputs out;
};

static void dense(const struct dense *l, const uint8_t *x, uint8_t *y) {
    filters(x, l->weights, l->n, l->f, &l->out, y, 0);
}
