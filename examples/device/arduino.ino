// The network on an Arduino with an Arm processor (Nano 33 BLE, Portenta, Due, ...). Put net.c, of
//     numpycnn export pretrained:small-1 --to c --out net.c
// into the folder of this sketch, which compiles both. An image of PIXELS bytes comes over the
// serial line; its class and the milliseconds that it took go back.
#include <stdint.h>

#define PIXELS 784
#define CLASSES 10

extern "C" void net_infer(const uint8_t *image, int32_t *logits);
extern "C" const char *const net_names[CLASSES];

static uint8_t image[PIXELS];

void setup() {
  Serial.begin(115200);
  while (!Serial) {}
}

void loop() {
  if (Serial.readBytes((char *)image, PIXELS) < PIXELS) return;
  int32_t logits[CLASSES];
  unsigned long start = millis();
  net_infer(image, logits);
  unsigned long took = millis() - start;
  int best = 0;
  for (int k = 1; k < CLASSES; k++)
    if (logits[k] > logits[best]) best = k;
  Serial.print(net_names[best]);
  Serial.print(", ms: ");
  Serial.println(took);
}
