
#ifdef @UPPER@_MAIN /* cc -std=c99 -O2 -D@UPPER@_MAIN @name@.c && ./a.out < images.raw */
#include <stdio.h>

/* Images from the standard input, @UPPER@_PIXELS bytes each: a line of logits and the class. */
int main(void) {
    static uint8_t image[@UPPER@_PIXELS];
    int32_t logits[@UPPER@_CLASSES];
    while (fread(image, 1, sizeof image, stdin) == sizeof image) {
        int best = 0;
        @name@_infer(image, logits);
        for (int k = 0; k < @UPPER@_CLASSES; k++) {
            printf("%ld ", (long)logits[k]);
            if (logits[k] > logits[best]) best = k;
        }
        printf("%s\n", @name@_names[best]);
    }
    return 0;
}
#endif
