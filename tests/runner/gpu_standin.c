// LiteRT and Vulkan, as far as the runner calls them, for a model of x float32 [1, 4] and y float32 [1, 3].
// The variable STANDIN says what is wrong with them; without it y is the first three of x.
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char input[16], output[12];
static int is(const char *mode) { const char *now = getenv("STANDIN"); return now && !strcmp(now, mode); }
static int some(void **out) { *out = input; return 0; }

int LiteRtCreateEnvironment(int count, void *options, void **out) { return some(out); }
int LiteRtCreateModelFromFile(void *environment, const char *path, void **out) { return some(out); }
int LiteRtCreateOptions(void **out) { return some(out); }
int LiteRtSetOptionsHardwareAccelerators(void *options, int hardware) { return 0; }
int LiteRtCreateOpaqueOptions(const char *name, void *payload, void *free, void **out) { return some(out); }
int LiteRtAddOpaqueOptions(void *options, void *opaque) { return 0; }
int LiteRtGetModelSignature(void *model, size_t i, void **out) { return some(out); }
int LiteRtGetSignatureInputTensorByIndex(void *signature, size_t i, void **out) { *out = "x"; return 0; }
int LiteRtGetSignatureOutputTensorByIndex(void *signature, size_t i, void **out) { *out = "y"; return 0; }
int LiteRtGetTensorName(void *tensor, const char **out) { *out = tensor; return 0; }
int LiteRtGetRankedTensorType(void *tensor, void *type) { return 0; }
int LiteRtGetCompiledModelInputBufferRequirements(void *model, size_t s, size_t i, void **out) { *out = input; return 0; }
int LiteRtGetCompiledModelOutputBufferRequirements(void *model, size_t s, size_t i, void **out) { *out = output; return 0; }
int LiteRtCreateManagedTensorBufferFromRequirements(void *e, void *t, void *needed, void **out) { *out = needed; return 0; }
int LiteRtGetTensorBufferPackedSize(void *buffer, size_t *out) { *out = buffer == input ? 16 : 12; return 0; }
int LiteRtLockTensorBuffer(void *buffer, void **out, int mode) { *out = buffer; return 0; }
int LiteRtUnlockTensorBuffer(void *buffer) { return 0; }
int LiteRtCompiledModelIsNonCpuFullyAccelerated(void *model, bool *out) {
  *out = !is("partly") && !is("silent");
  return 0;
}

int LiteRtCreateCompiledModel(void *environment, void *model, void *options, void **out) {
  if (is("hang-load")) pause();
  if (is("crash")) raise(SIGSEGV);
  if (is("memory")) return fputs("E0000 VK_ERROR_OUT_OF_DEVICE_MEMORY\n", stderr), 3;
  if (is("adapter")) return fputs("INTERNAL: No adapters found\n", stderr), 3;
  if (is("partly") || is("refused"))
    fputs("ERROR: Following operations are not supported by GPU delegate:\nCUMSUM: Op is not supported.\n", stderr);
  if (is("refused")) return 3;
  if (is("partly"))
    fputs("2 operations will run on the GPU, and the remaining 1 operations will run on the CPU.\n", stderr);
  return some(out);
}

int LiteRtRunCompiledModel(void *model, size_t s, size_t inputs, void *in, size_t outputs, void *out) {
  if (is("hang-run")) pause();
  memcpy(output, input, 12);
  if (is("nan")) ((float *)output)[1] = NAN;
  return is("run") ? 3 : 0;
}

int vkCreateInstance(void *info, void *allocator, void **out) { *out = input; return is("driver") ? -9 : 0; }
int vkEnumeratePhysicalDevices(void *instance, uint32_t *count, void **out) {
  *count = is("none") ? 0 : 1;
  out[0] = input;
  return 0;
}
void vkDestroyInstance(void *instance, void *allocator) {}
void vkGetPhysicalDeviceProperties2(void *device, char *properties) {
  *(int *)(properties + 32) = 2;
  strcpy(properties + 36, "Stand-in GPU");
  char *driver = *(char **)(properties + 8);
  strcpy(driver + 20, "stand-in");
  strcpy(driver + 276, "1.2");
}
void vkGetPhysicalDeviceFeatures2(void *device, char *features) { *(uint32_t *)(*(char **)(features + 8) + 16) = 1; }
void vkGetPhysicalDeviceMemoryProperties(void *device, char *memory) {
  *(uint32_t *)(memory + 260) = 1;
  *(uint64_t *)(memory + 264) = is("small") ? 2 : 1 << 30;
  *(uint32_t *)(memory + 272) = 1;
}
