// The network on an Arduino with an Arm processor (Nano 33 BLE, Portenta, Due, ...): put net.c, by
//     numpycnn export pretrained:small --to c --out net.c
// beside this file. An image of NET_PIXELS bytes comes over the serial line, its class goes back.
extern "C" {
#include "net.c"
}

static uint8_t image[NET_PIXELS];

void setup() {
  Serial.begin(115200);
  while (!Serial) {}
}

void loop() {
  if (Serial.readBytes((char *)image, NET_PIXELS) < NET_PIXELS) return;
  int32_t logits[NET_CLASSES];
  unsigned long start = millis();
  net_infer(image, logits);
  unsigned long took = millis() - start;
  int best = 0;
  for (int k = 1; k < NET_CLASSES; k++)
    if (logits[k] > logits[best]) best = k;
  Serial.print(net_names[best]);
  Serial.print(", ms: ");
  Serial.println(took);
}
