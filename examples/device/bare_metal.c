/* The network on a Cortex-M without an operating system, and under QEMU:

     numpycnn export pretrained:small-1 --to c --out net.c
     arm-none-eabi-gcc -std=c99 -O2 -mcpu=cortex-m4 -mthumb -nostartfiles \
         -T mps2-an386.ld bare_metal.c -o net.elf
     qemu-system-arm -M mps2-an386 -display none -serial none -monitor none -semihosting -kernel net.elf < images.raw

   For lm3s6965evb, a Cortex-M3 with 64 KB of RAM: -mcpu=cortex-m3, -T lm3s6965evb.ld, -M lm3s6965evb.
   images.raw holds NET_PIXELS bytes an image. A line of output has the logits, the class and how
   many ticks of the clock it took. On a board with a camera, read_image is what you write anew. */
#include "net.c"

extern uint32_t data_in_flash, data_start, data_end, bss_start, bss_end, stack_top;

/* Semihosting: the debugger, or QEMU, does what the instruction asks for. */
static int ask(int what, const void *about) {
    register int r0 __asm__("r0") = what;
    register const void *r1 __asm__("r1") = about;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}
enum { OPEN = 1, WRITE = 4, READ = 6, EXIT = 24, NORMALLY = 0x20026, FAULTY = 0x20023 };

static void print(const char *text) { ask(WRITE, text); }

static void print_number(int32_t v) {
    char text[13];
    uint32_t rest = v < 0 ? 0u - (uint32_t)v : (uint32_t)v;
    int i = 12;
    text[i] = 0, text[--i] = ' ';
    do text[--i] = (char)('0' + rest % 10); while (rest /= 10);
    if (v < 0) text[--i] = '-';
    print(text + i);
}

/* The next image from the standard input; 0 where there is none. */
static int read_image(uint8_t *image) {
    static int file = -1;
    static const struct { const char *name; int mode, length; } console = {":tt", 0, 3};
    int left = NET_PIXELS;
    if (file < 0) file = ask(OPEN, &console);
    while (left > 0) {
        struct { int file; uint8_t *to; int count; } wanted = {file, image + NET_PIXELS - left, left};
        int missing = ask(READ, &wanted);
        if (missing == left) return 0;
        left = missing;
    }
    return 1;
}

static volatile uint32_t *const clock = (uint32_t *)0xE000E010; /* SysTick: on, start, now */

int main(void) {
    static uint8_t image[NET_PIXELS];
    int32_t logits[NET_CLASSES];
    clock[1] = 0xFFFFFF, clock[2] = 0, clock[0] = 5;
    while (read_image(image)) {
        int best = 0;
        uint32_t before = clock[2];
        net_infer(image, logits);
        uint32_t after = clock[2]; /* it counts down */
        for (int k = 0; k < NET_CLASSES; k++) {
            print_number(logits[k]);
            if (logits[k] > logits[best]) best = k;
        }
        print(net_names[best]), print(", ticks: ");
        print_number((int32_t)((before - after) & 0xFFFFFF)), print("\n");
    }
    ask(EXIT, (void *)NORMALLY);
    return 0;
}

void reset(void) {
    uint32_t *from = &data_in_flash, *to = &data_start;
    while (to < &data_end) *to++ = *from++;
    for (to = &bss_start; to < &bss_end;) *to++ = 0;
    main();
    for (;;) {}
}

static void fault(void) {
    print("a fault of the processor\n");
    ask(EXIT, (void *)FAULTY);
    for (;;) {}
}

__attribute__((section(".vectors"), used)) static const struct {
    void *stack;
    void (*reset)(void), (*faults[5])(void), (*others[9])(void);
} vectors = {&stack_top, reset, {fault, fault, fault, fault, fault}, {0}};
