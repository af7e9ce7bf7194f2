// ExecuTorch behind a C ABI, for a device that has no torch: load a program, run its methods, trace it.
//
// Every function says what went wrong in `error`, a buffer of ERROR_BYTES, and then returns null or false.

#include <executorch/devtools/etdump/etdump_flatcc.h>
#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

using executorch::aten::ScalarType;
using executorch::etdump::ETDumpGen;
using executorch::extension::Module;
using executorch::runtime::Error;
using executorch::runtime::EValue;
using executorch::runtime::EventTracer;

// The wheel ships the library without this header (1.5.1).
namespace executorch::extension::threadpool {
class ThreadPool {
 public:
  bool _unsafe_reset_threadpool(uint32_t threads);
};
ThreadPool* get_threadpool();
}  // namespace executorch::extension::threadpool

namespace {

constexpr size_t ERROR_BYTES = 256;

// A dense tensor in the caller's memory. `dtype` is ExecuTorch's ScalarType.
struct Tensor {
  int32_t dtype;
  int32_t rank;
  const int32_t* shape;
  void* data;
  uint64_t bytes;
};

bool failed(Error found, const char* where, char* error) {
  if (found == Error::Ok) {
    return false;
  }
  snprintf(error, ERROR_BYTES, "%s: %s", where, executorch::runtime::to_string(found));
  return true;
}

bool copy(const EValue& value, const Tensor& to, size_t index, char* error) {
  bool same = value.isTensor() && value.toTensor().dim() == to.rank &&
      value.toTensor().scalar_type() == static_cast<ScalarType>(to.dtype) && value.toTensor().nbytes() == to.bytes;
  for (int32_t axis = 0; same && axis < to.rank; ++axis) {
    same = value.toTensor().size(axis) == to.shape[axis];
  }
  if (!same) {
    snprintf(error, ERROR_BYTES, "output %zu of the program has another type or shape than its manifest says", index);
    return false;
  }
  std::memcpy(to.data, value.toTensor().const_data_ptr(), to.bytes);
  return true;
}

void* load(const char* path, uint32_t threads, std::unique_ptr<EventTracer> tracer, char* error) try {
  auto* pool = executorch::extension::threadpool::get_threadpool();
  if (pool == nullptr || !pool->_unsafe_reset_threadpool(threads)) {
    snprintf(error, ERROR_BYTES, "there can be no %u threads", threads);
    return nullptr;
  }
  // Mapped, not read: the weights that delegates pack for themselves are not held twice.
  auto model = std::make_unique<Module>(path, Module::LoadMode::Mmap, std::move(tracer));
  return failed(model->load_forward(), "load", error) ? nullptr : model.release();
} catch (const std::exception& thrown) {
  snprintf(error, ERROR_BYTES, "load: %s", thrown.what());
  return nullptr;
}

}  // namespace

extern "C" {

// The program in a file, ready to run on that many threads.
void* edgekit_load(const char* path, uint32_t threads, char* error) {
  return load(path, threads, nullptr, error);
}

// The same, and every run of it is traced from then on.
void* edgekit_load_traced(const char* path, uint32_t threads, char* error) {
  return load(path, threads, std::make_unique<ETDumpGen>(), error);
}

// Writes what was traced to a file, as an ETDump. The trace ends with it.
bool edgekit_write_trace(void* model, const char* path, char* error) {
  auto* tracer = static_cast<ETDumpGen*>(static_cast<Module*>(model)->event_tracer());
  auto trace = tracer->get_etdump_data();
  FILE* file = trace.buf == nullptr ? nullptr : fopen(path, "wb");
  bool written = file != nullptr && fwrite(trace.buf, 1, trace.size, file) == trace.size;
  written = (file == nullptr || fclose(file) == 0) && written;
  free(trace.buf);
  if (!written) {
    snprintf(error, ERROR_BYTES, "the trace could not be written");
  }
  return written;
}

// Runs a method, loaded at its first run, on the inputs, and copies what it gives into the outputs.
bool edgekit_run(
    void* model, const char* method, const Tensor* inputs, size_t taken, const Tensor* outputs, size_t given,
    char* error) try {
  std::vector<executorch::extension::TensorPtr> tensors;
  std::vector<EValue> values;
  for (const Tensor* input = inputs; input != inputs + taken; ++input) {
    std::vector<executorch::aten::SizesType> shape(input->shape, input->shape + input->rank);
    tensors.push_back(executorch::extension::make_tensor_ptr(
        std::move(shape), input->data, static_cast<ScalarType>(input->dtype)));
    values.emplace_back(tensors.back());
  }
  auto found = static_cast<Module*>(model)->execute(method, values);
  if (failed(found.error(), method, error)) {
    return false;
  }
  if (found->size() != given) {
    snprintf(error, ERROR_BYTES, "the program gives %zu outputs, its manifest says %zu", found->size(), given);
    return false;
  }
  for (size_t index = 0; index < given; ++index) {
    if (!copy(found->at(index), outputs[index], index, error)) {
      return false;
    }
  }
  return true;
} catch (const std::exception& thrown) {
  snprintf(error, ERROR_BYTES, "%s: %s", method, thrown.what());
  return false;
}

}  // extern "C"
