/* A stand-in for libedgetpu: claims each edgetpu-custom-op and runs it, without a Coral.
 *
 * It makes the calls of libedgetpu's own tflite/edgetpu_delegate_for_custom_op.cc.
 * It is built against the structures of tensorflow/lite/core/c/common.h that every
 * delegate of that interface uses. In TensorFlow 2.5, for which Google's last libedgetpu
 * was built, a registration ended with its version: what LiteRT reads behind it is then
 * whatever lay on the stack. BUILT_FOR_2_5 puts an address there that is none. A person
 * is seen at ANCHOR.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CLAIMED "edgetpu-custom-op"
#define ANCHOR 900        /* of 1917: a box in the middle of the picture */
#define PERSON 1          /* column of scores */
#define COLUMNS 91
#define SURE 230          /* of 255 */
#define EDGE_TPU_CONTEXT 2 /* kTfLiteEdgeTpuContext */
#define ALLOWS_DYNAMIC 1  /* kTfLiteDelegateFlagsAllowDynamicTensors */

typedef struct { int size; int data[]; } Ints;
typedef struct {
  int type; void *data; Ints *dims; float scale; int32_t zero_point;
  int allocation_type; size_t bytes; const void *allocation; const char *name;
  void *delegate; int buffer_handle; char data_is_stale, is_variable;
  struct { int type; void *params; } quantization;
  void *sparsity; const Ints *dims_signature;
} Tensor;
typedef struct Delegate Delegate;
typedef struct Context Context;
typedef struct {
  Ints *inputs, *outputs, *intermediates, *temporaries;
  void *user_data, *builtin_data; const void *custom_initial_data;
  int custom_initial_data_size; Delegate *delegate;
} Node;
typedef struct {
  void *(*init)(Context *, const char *, size_t);
  void (*free)(Context *, void *);
  int (*prepare)(Context *, Node *);
  int (*invoke)(Context *, Node *);
  const char *(*profiling_string)(const Context *, const Node *);
  int32_t builtin_code; const char *custom_name; int version;
  void *registration_external; void *async_kernel; uint64_t inplace_operator;
} Registration;
struct Context {
  size_t tensors_size;
  int (*GetExecutionPlan)(Context *, Ints **);
  Tensor *tensors; void *impl;
  int (*ResizeTensor)(Context *, Tensor *, Ints *);
  void (*ReportError)(Context *, const char *, ...);
  int (*AddTensors)(Context *, int, int *);
  int (*GetNodeAndRegistration)(Context *, int, Node **, Registration **);
  int (*ReplaceNodeSubsetsWithDelegateKernels)(
      Context *, Registration, const Ints *, Delegate *);
  int recommended_num_threads;
  void *(*GetExternalContext)(Context *, int);
  void (*SetExternalContext)(Context *, int, void *);
};
typedef struct { Delegate *delegate; Ints *nodes, *inputs, *outputs; } Part;
struct Delegate {
  void *data; int (*prepare)(Context *, Delegate *);
  void *from, *to, *release; int64_t flags; void *opaque;
};

static void *init(Context *context, const char *buffer, size_t length) {
  const Part *part = (const Part *)buffer;
  Node *node; Registration *known;
  if (part->nodes->size != 1 || context->GetNodeAndRegistration(
        context, part->nodes->data[0], &node, &known)) abort();
  return malloc(1);
}
static void release(Context *context, void *data) { free(data); }
static int prepare(Context *context, Node *node) { return 0; }
static int invoke(Context *context, Node *node) {
  for (int i = 0; i < node->outputs->size; i++) {
    Tensor *tensor = &context->tensors[node->outputs->data[i]];
    memset(tensor->data, tensor->zero_point, tensor->bytes);
    if (tensor->bytes % COLUMNS == 0)
      ((uint8_t *)tensor->data)[ANCHOR * COLUMNS + PERSON] = SURE;
  }
  return 0;
}

static int claim(Context *context, Delegate *self) {
  Ints *plan, *one = malloc(sizeof(Ints) + sizeof(int));
  one->size = 1;
  context->SetExternalContext(context, EDGE_TPU_CONTEXT, self);
  if (context->GetExecutionPlan(context, &plan)) return 1;
  int length = plan->size, *nodes = malloc(length * sizeof(int));
  memcpy(nodes, plan->data, length * sizeof(int)); /* a claim changes the plan */
  for (int i = 0; i < length; i++) {
    Node *node; Registration *known;
    if (context->GetNodeAndRegistration(context, nodes[i], &node, &known)) return 1;
    if (!known->custom_name || strcmp(known->custom_name, CLAIMED)) continue;
    Registration ours = {init, release, prepare, invoke, 0, 0, "StandIn", 1};
#ifdef BUILT_FOR_2_5
    ours.registration_external = (void *)8;
#endif
    one->data[0] = nodes[i];
    if (context->ReplaceNodeSubsetsWithDelegateKernels(context, ours, one, self))
      return 1;
  }
  free(nodes);
  free(one);
  return 0;
}

static Delegate only = {0, claim, 0, 0, 0, ALLOWS_DYNAMIC, 0};
Delegate *tflite_plugin_create_delegate(
    char **keys, char **values, size_t n, void (*report)(const char *)) {
  return &only;
}
void tflite_plugin_destroy_delegate(Delegate *self) {}
