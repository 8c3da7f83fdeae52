/* The C ABI of autograd: tensors, ops with gradients, the engine, graphs, optimizers.
 * Over 600 lines: the contract is one file, so that every binding can read it as a whole.
 *
 * Conventions, true for every function below:
 *  1. Arguments are opaque typed pointers, int32_t, int64_t, double, const char*, or pointer +
 * count. No struct is passed by value.
 *  2. A handle is one reference. What is returned, or written to an `out` parameter, is owned by
 * the caller and released with ag_<type>_free (NULL allowed). Arguments are borrowed: the library
 * takes its own reference where it keeps one.
 *  3. No other memory is handed out. Texts go into a caller's buffer, snprintf style: the function
 * returns the length without the final NUL (-1 on failure) and writes at most `capacity` bytes;
 * capacity 0 asks for the length.
 *  4. A function that makes one object returns it, or NULL on failure. Every other function that
 * can fail returns ag_status; a function that returns a plain value and has no stated failure
 * treats NULL as an error and returns the value named in its comment.
 *  5. ag_last_error() and ag_last_status() describe the calling thread's last failure; a success
 * does not clear them.
 *  6. No exception crosses this boundary, and no argument, however wrong, crashes the process: NULL
 * handles, bad dims and bad counts are errors. (A pointer that was never a handle, or was freed,
 * cannot be told from a good one.)
 *  7. ag_abi_version() never changes its meaning; a function whose meaning must change gets a new
 * name.
 *  8. Names: ag_<op>, ag_<noun>_<verb>, variants by suffix; a trailing underscore works in place;
 * outputs come last.
 *  9. Dims may be negative and count from the end. dims with count 0 means: all dims. Sizes and
 * strides are in elements. Booleans are ag_bool, 0 or 1. Handles may be used from any thread, one
 * thread at a time per tensor.
 * 10. AG_BLOCKING marks functions that may run long whatever they are called with: a binding should
 * release its interpreter lock around them. Ops on many elements, long backward passes and
 * compiled steps give the lock up by themselves, where it pays, once ag_set_interpreter_lock has
 * told how.
 */
#ifndef AUTOGRAD_H_
#define AUTOGRAD_H_

#include <stdint.h>

#if defined(_WIN32)
#define AG_API __declspec(dllexport)
#else
#define AG_API __attribute__((visibility("default")))
#endif
#define AG_BLOCKING

#ifdef __cplusplus
extern "C" {
#endif

/* The ABI this header describes; equal to ag_abi_version() of a library that fits it. */
#define AG_ABI_VERSION 1

/* 0 or 1, an int32_t; numbers that stand for true are 1 in bindings that know booleans. */
typedef int32_t ag_bool;

typedef struct ag_tensor ag_tensor;
typedef struct ag_graph ag_graph;
typedef struct ag_recording ag_recording;
typedef struct ag_node ag_node;
typedef struct ag_op ag_op;
typedef struct ag_function ag_function;
typedef struct ag_compiled ag_compiled;

/* Status of a call. The values never change. */
typedef enum ag_status {
  AG_OK = 0,
  AG_ERROR_RUNTIME = 1,         /* shape mismatch, autograd misuse: RuntimeError in Python */
  AG_ERROR_TYPE = 2,            /* TypeError */
  AG_ERROR_VALUE = 3,           /* ValueError */
  AG_ERROR_INDEX = 4,           /* dim or index out of range: IndexError */
  AG_ERROR_NOT_IMPLEMENTED = 5, /* NotImplementedError */
  AG_ERROR_MEMORY = 6,          /* MemoryError */
  AG_ERROR_LINALG = 7           /* a matrix without a result: linalg.LinAlgError, a RuntimeError */
} ag_status;

/* Element types. The values never change. */
typedef enum ag_dtype {
  AG_FLOAT32 = 0,
  AG_FLOAT64 = 1,
  AG_INT32 = 2,
  AG_INT64 = 3,
  AG_UINT8 = 4,
  AG_BOOL = 5
} ag_dtype;

/* How a loss is reduced. */
typedef enum ag_reduction {
  AG_REDUCTION_NONE = 0,
  AG_REDUCTION_MEAN = 1,
  AG_REDUCTION_SUM = 2
} ag_reduction;

/* Kinds of item in the lists that ag_index, ag_index_tensors and ag_index_assign_ take. */
typedef enum ag_index_kind {
  AG_INDEX_INT = 0,      /* a = position; removes the dim */
  AG_INDEX_SLICE = 1,    /* a:b:c, c > 0; INT64_MIN for an absent a, INT64_MAX for an absent b */
  AG_INDEX_NEWAXIS = 2,  /* inserts a dim of size 1 */
  AG_INDEX_ELLIPSIS = 3, /* the first: as many full slices as fit; further ones: nothing */
  AG_INDEX_TENSOR = 4, /* a = which of the tensors: positions (integers) or a mask (bool, uint8) */
  AG_INDEX_BOOL = 5    /* inserts a dim of size 1 if a is not 0, else of size 0; makes a copy */
} ag_index_kind;

/* How elements that meet in one place are put together. */
typedef enum ag_scatter_reduction {
  AG_SCATTER_SUM = 0,
  AG_SCATTER_PROD = 1,
  AG_SCATTER_MEAN = 2,
  AG_SCATTER_AMAX = 3,
  AG_SCATTER_AMIN = 4
} ag_scatter_reduction;

/* What a bag of rows becomes. */
typedef enum ag_bag_mode { AG_BAG_SUM = 0, AG_BAG_MEAN = 1, AG_BAG_MAX = 2 } ag_bag_mode;

/* How ag_grid_sample reads positions between elements, and what lies outside. */
typedef enum ag_sample_mode {
  AG_SAMPLE_LINEAR = 0,
  AG_SAMPLE_NEAREST = 1,
  AG_SAMPLE_CUBIC = 2
} ag_sample_mode;
typedef enum ag_sample_padding {
  AG_SAMPLE_ZEROS = 0,     /* zeros */
  AG_SAMPLE_BORDER = 1,    /* x's edge */
  AG_SAMPLE_REFLECTION = 2 /* x mirrored */
} ag_sample_padding;

/* What the learning rate of ag_muon_step is multiplied by for a matrix [n, m]. */
typedef enum ag_muon_scale {
  AG_MUON_SCALE_ORIGINAL = 0,        /* sqrt(max(1, n / m)) */
  AG_MUON_SCALE_MATCH_RMS_ADAMW = 1, /* 0.2 sqrt(max(n, m)) */
  AG_MUON_SCALE_NONE = 2             /* 1 */
} ag_muon_scale;

/* What ag_pad fills with. */
typedef enum ag_pad_mode {
  AG_PAD_CONSTANT = 0,  /* a number */
  AG_PAD_REFLECT = 1,   /* x mirrored at its edge, which is not repeated */
  AG_PAD_REPLICATE = 2, /* x's edge */
  AG_PAD_CIRCULAR = 3   /* x from its other end */
} ag_pad_mode;

/* What a quantile between two elements is. */
typedef enum ag_quantile_interpolation {
  AG_QUANTILE_LINEAR = 0,   /* the point on the line between them */
  AG_QUANTILE_LOWER = 1,    /* the lower one */
  AG_QUANTILE_HIGHER = 2,   /* the higher one */
  AG_QUANTILE_MIDPOINT = 3, /* their mean */
  AG_QUANTILE_NEAREST = 4   /* the one whose place is nearer; of two, the even one */
} ag_quantile_interpolation;

/* How ag_interpolate reads positions between elements. */
typedef enum ag_interpolation {
  AG_INTERPOLATION_NEAREST = 0,       /* the element before */
  AG_INTERPOLATION_NEAREST_EXACT = 1, /* the nearest element */
  AG_INTERPOLATION_LINEAR = 2,
  AG_INTERPOLATION_LINEAR_ALIGNED = 3, /* the corners of input and output coincide */
  AG_INTERPOLATION_CUBIC = 4,
  AG_INTERPOLATION_CUBIC_ALIGNED = 5,
  AG_INTERPOLATION_AREA = 6 /* means of areas */
} ag_interpolation;

/* Called once when a blob's memory, or a callback's context, is no longer used, from any thread. */
typedef void (*ag_deleter)(void* context);
/* Sees the gradient of a tensor during a backward, on its thread. grad is borrowed; *replacement,
 * NULL before the call, takes a reference to the gradient to go on with instead. Any status but
 * AG_OK ends the backward with a runtime error. */
typedef ag_status (*ag_hook)(void* context, ag_tensor* grad, ag_tensor** replacement);
/* Sees a leaf after a backward has added to its gradient. */
typedef ag_status (*ag_leaf_hook)(void* context, ag_tensor* leaf);
/* Sees the gradients of an op's outputs and, where it runs after the op's own gradient, of its
 * inputs (else n_inputs is 0), borrowed, NULL where there is none. Writes references to those of
 * the outputs (of the inputs, where it runs after) to go on with to out, which holds NULL for: the
 * same. */
typedef ag_status (*ag_node_hook)(void* context, ag_tensor* const* grad_inputs, int64_t n_inputs,
                                  ag_tensor* const* grad_outputs, int64_t n_outputs,
                                  ag_tensor** out);
/* The gradient rule of a function: gets the gradients of its outputs (borrowed, NULL where none
 * flowed, unless they are made zeros) and writes references to those of its inputs to
 * out[n_inputs]; NULL, as before the call, for zero. node is borrowed. */
typedef ag_status (*ag_rule)(void* context, ag_node* node, ag_tensor* const* grads,
                             int64_t n_outputs, ag_tensor** out, int64_t n_inputs);
/* Gets a value that is being saved for a gradient, borrowed, and says what to keep instead. */
typedef ag_status (*ag_pack)(void* context, ag_tensor* value, void** content);
/* Makes the value again: writes a reference to *value. */
typedef ag_status (*ag_unpack)(void* context, void* content, ag_tensor** value);

/* What an output of a function is. */
typedef enum ag_output_kind {
  AG_OUTPUT_VALUE = 0,
  AG_OUTPUT_DIRTY = 1,   /* an input that the function has changed in place */
  AG_OUTPUT_CONSTANT = 2 /* no gradient goes through it */
} ag_output_kind;

/* The functions of a registered op. inputs are borrowed; numbers are the three of ag_op_call, 0
 * where fewer were given. Any status but AG_OK ends the call with that error, in the words of the
 * library's last failure if it has the same status. */

/* Says what the outputs are: dtypes[i], ndims[i] (at most 12) and sizes[12 i], [12 i + 1], ... */
typedef ag_status (*ag_op_infer)(void* context, ag_tensor* const* inputs, int64_t n_inputs,
                                 const double* numbers, int32_t* dtypes, int64_t* ndims,
                                 int64_t* sizes, int64_t n_outputs);
/* Fills the outputs, which are allocated and row-major, through ag_tensor_data or with functions of
 * the library. */
typedef ag_status (*ag_op_forward)(void* context, ag_tensor* const* inputs, int64_t n_inputs,
                                   const double* numbers, ag_tensor* const* outputs,
                                   int64_t n_outputs);
/* Gets the gradients of the outputs, NULL where none flowed, and writes references to those of the
 * inputs to out[n_inputs], which holds NULL for zero. Built of ag_ functions it can be
 * differentiated again. */
typedef ag_status (*ag_op_backward)(void* context, ag_tensor* const* inputs, int64_t n_inputs,
                                    const double* numbers, ag_tensor* const* outputs,
                                    ag_tensor* const* grads, int64_t n_outputs, ag_tensor** out);

/* How an interpreter's lock is given up (never NULL; `take` gets it), taken again, and which thread
 * has it, or which one the calling thread is: NULL if none. */
typedef void* (*ag_lock_release)(void);
typedef void (*ag_lock_take)(void* state);
typedef void* (*ag_lock_thread)(void);

/* Says which line of the user's program an instruction belongs to, see ag_location_follow_python():
 * the number that ag_location_make() gave for it, -1 if the code belongs to the binding and the
 * line of its caller is wanted, 0 if it can't tell. */
typedef int32_t (*ag_code_resolver)(const void* code, int32_t offset);

/* Keeps a borrowed PyObject, an exception, until the call that is under way has failed. */
typedef void (*ag_exception_keeper)(void* exception);

/* ---- library ---- */

/* The ABI number the library was built with. */
AG_API int32_t ag_abi_version(void);
/* The library's version, "major.minor.patch"; static memory. */
AG_API const char* ag_version(void);
/* From now on ops on many elements run without the interpreter's lock, if their thread has it, so
 * that other threads of the interpreter go on. NULLs: ops leave locks alone, as at the start. */
AG_API void ag_set_interpreter_lock(ag_lock_release release, ag_lock_take take,
                                    ag_lock_thread holder, ag_lock_thread self);
/* For the binding of a CPython that this process runs, called from its main thread: its signal
 * handlers run during long calls of that thread as well, and if one raises, keep gets the exception
 * and the call fails with a runtime error. NULL ends it. Returns 1, or 0 where that can't be done.
 */
AG_API int32_t ag_follow_python_signals(ag_exception_keeper keep);
/* Text of the calling thread's last failure, "" if there was none; valid until the thread's next
 * failure. */
AG_API const char* ag_last_error(void);
/* Status of the calling thread's last failure, AG_OK if there was none. */
AG_API ag_status ag_last_status(void);
/* Seeds the random number generator; the same seed gives the same numbers for any number of
 * threads. */
AG_API void ag_manual_seed(int64_t seed);
/* Where the process's stream of random numbers stands: its seed and how many numbers were taken. */
AG_API ag_status ag_random_state(int64_t* seed, int64_t* offset);
AG_API void ag_set_random_state(int64_t seed, int64_t offset);
/* The calling thread draws from a stream of its own that starts there, until
 * ag_end_random_stream(), which says how many numbers were taken; a runtime error if there is none.
 */
AG_API void ag_begin_random_stream(int64_t seed, int64_t offset);
AG_API ag_status ag_end_random_stream(int64_t* offset);
/* Threads used for large work, the caller's included. Starts as the number of cores the process may
 * use. */
AG_API int32_t ag_num_threads(void);
/* n >= 1. */
AG_API ag_status ag_set_num_threads(int32_t n);
/* The float type that integers and plain numbers turn into where a float is needed; AG_FLOAT32 at
 * the start. Type error for a dtype that is no float. */
AG_API ag_status ag_set_default_dtype(ag_dtype dtype);
/* The ag_dtype that two convert to together (bool < integers < floats); -1 and an error for a value
 * that is no ag_dtype. */
AG_API int32_t ag_promote_types(ag_dtype a, ag_dtype b);
/* The ag_dtype of what add and its kin make of two tensors: tensors with dims count before 0-d ones
 * of the same kind, and those before ag_scalar_*; -1 and an error for NULL. */
AG_API int32_t ag_result_type(const ag_tensor* a, const ag_tensor* b);
/* 1 if ops of this thread record gradients. */
AG_API int32_t ag_grad_enabled(void);
/* Switches recording for this thread; returns what it was. */
AG_API int32_t ag_set_grad_enabled(int32_t enabled);
/* Bytes the allocator has taken from the system and not given back, of all threads. */
AG_API int64_t ag_memory_reserved(void);
/* Bytes held by live tensors, of all threads. */
AG_API int64_t ag_memory_allocated(void);
/* Returns cached memory of the calling thread and of the shared cache to the system. */
AG_API void ag_memory_release(void);
/* Names of the registered ops, one a line, in registration order; text. */
AG_API int64_t ag_op_names(char* buffer, int64_t capacity);
/* What the named op is: "<name>: <doc>" with its traits; text; -1 for an unknown op. */
AG_API int64_t ag_op_doc(const char* name, char* buffer, int64_t capacity);

/* ---- calls from CPython ---- */

/* The address of a METH_FASTCALL function that does what the C function `name` does, for arguments
 * of the usual classes. All other calls go on to the function's `self`, a callable of the same
 * meaning. NULL if there is none. It must not be called before ag_python_start(). That of "tolist",
 * which is no C function, makes nested lists of a tensor's elements; those of "begin_recording",
 * "end_recording" and "seen_by_recording" do what ag_python_recording() prepares. */
AG_API const void* ag_python_function(const char* name);
/* Tells these functions, once, what they need of the interpreter. functions:
 * PyLong_AsLongLongAndOverflow, PyLong_FromLongLong, PyFloat_AsDouble, PyFloat_FromDouble,
 * PyBytes_AsString, PyTuple_Size, PyTuple_GetItem, PyList_Size, PyList_GetItem, PyTuple_New,
 * PyTuple_SetItem, PyList_SetItem, PyList_New, PyObject_Call, PyErr_Occurred, PyErr_Clear,
 * Py_IncRef, Py_DecRef, PyType_IsSubtype, PyErr_CheckSignals, and tp_new of ctypes' simple types.
 * objects: the classes int, float, bytes, tuple, list, ctypes.c_int64, that of ctypes' arrays'
 * classes, ctypes.c_void_p; None, True, False and (). head: the size of an object's head, which
 * ends with its class; behind it ctypes objects have the address of their value. */
AG_API ag_status ag_python_start(const void* const* functions, int64_t n_functions,
                                 const void* const* objects, int64_t n_objects, int64_t head);
/* Two classes of handles, of which results have the first, and one of tuples, which live on. */
AG_API ag_status ag_python_classes(const void* tensor, const void* parameter, const void* size);

/* ---- tensors ---- */

/* A new contiguous tensor with a copy of numel elements of `data`. */
AG_API ag_tensor* ag_tensor_from_data(const void* data, ag_dtype dtype, const int64_t* sizes,
                                      int64_t ndim);
/* A tensor over the caller's memory, not copied; strides may be NULL for contiguous. deleter (may
 * be NULL) is called with context when the memory is no longer used; also when this call fails it
 * is not called. */
AG_API ag_tensor* ag_tensor_from_blob(void* data, ag_dtype dtype, const int64_t* sizes,
                                      const int64_t* strides, int64_t ndim, ag_deleter deleter,
                                      void* context);
/* Releases one reference; NULL is allowed. */
AG_API void ag_tensor_free(ag_tensor* t);
/* Another reference to the same tensor. */
AG_API ag_tensor* ag_tensor_retain(ag_tensor* t);
/* 0 for NULL, 1 for any tensor. */
AG_API int32_t ag_tensor_exists(const ag_tensor* t);
/* Number of dims; -1 for NULL. */
AG_API int64_t ag_tensor_ndim(const ag_tensor* t);
/* Writes up to capacity sizes, returns ndim; -1 for NULL. */
AG_API int64_t ag_tensor_sizes(const ag_tensor* t, int64_t* out, int64_t capacity);
/* A number that two tensors share only if they have the same sizes, for bindings that keep their
 * own objects for shapes; -1 where the sizes do not fit into it (and for NULL, with an error set).
 */
AG_API int64_t ag_tensor_shape_key(const ag_tensor* t);
/* Writes up to capacity strides (elements), returns ndim; -1 for NULL. */
AG_API int64_t ag_tensor_strides(const ag_tensor* t, int64_t* out, int64_t capacity);
/* Number of elements; -1 for NULL. */
AG_API int64_t ag_tensor_numel(const ag_tensor* t);
/* ag_dtype of the elements; -1 for NULL. */
AG_API int32_t ag_tensor_dtype(const ag_tensor* t);
/* Address of the first element; NULL for NULL or an empty tensor. Writing through it is not seen by
 * autograd. */
AG_API void* ag_tensor_data(const ag_tensor* t);
/* Position of the first element in its storage, in elements; -1 for NULL. */
AG_API int64_t ag_tensor_storage_offset(const ag_tensor* t);
/* 1 if elements lie densely in row-major order; 0 for NULL. */
AG_API int32_t ag_tensor_is_contiguous(const ag_tensor* t);
/* 1 if both share storage; 0 for NULL. */
AG_API int32_t ag_tensor_shares_storage(const ag_tensor* a, const ag_tensor* b);
/* A number that no other tensor of the process has had; -1 for NULL. */
AG_API int64_t ag_tensor_id(const ag_tensor* t);
/* Number of in-place changes of the storage; -1 for NULL. */
AG_API int64_t ag_tensor_version(const ag_tensor* t);
/* Says that the elements were changed by code that the library does not see. */
AG_API ag_status ag_tensor_bump_version(ag_tensor* t);
/* The one element as a double. Runtime error unless numel is 1. */
AG_API ag_status ag_tensor_item_double(const ag_tensor* t, double* out);
/* The one element as an integer (floats truncate). Runtime error unless numel is 1. */
AG_API ag_status ag_tensor_item_int(const ag_tensor* t, int64_t* out);
/* The same at less cost, but a failure is not told from an element: NaN and INT64_MIN may be one.
 */
AG_API double ag_tensor_read_double(const ag_tensor* t);
AG_API int64_t ag_tensor_read_int(const ag_tensor* t);
/* Copies the elements in row-major order, converted to dtype, to dst, which has room for capacity
 * elements. */
AG_API ag_status ag_tensor_copy_out(const ag_tensor* t, ag_dtype dtype, void* dst,
                                    int64_t capacity);

/* The memory of t as a new DLManagedTensor, or a DLManagedTensorVersioned (1.0) if versioned, of
 * the DLPack protocol; it keeps the memory alive and is released by its own deleter. NULL on
 * failure; runtime error if t requires grad. */
AG_API void* ag_tensor_to_dlpack(const ag_tensor* t, int32_t versioned);

/* 1 if gradients flow to or through t; 0 for NULL. */
AG_API int32_t ag_tensor_requires_grad(const ag_tensor* t);
/* Only leaves can be switched; only floats can require grad. */
AG_API ag_status ag_tensor_set_requires_grad(ag_tensor* t, ag_bool requires_grad);
/* 1 for a tensor that no recorded op made; 0 for NULL. */
AG_API int32_t ag_tensor_is_leaf(const ag_tensor* t);
/* A new reference to the accumulated gradient; NULL if there is none (for a NULL tensor with an
 * error set). */
AG_API ag_tensor* ag_tensor_grad(const ag_tensor* t);
/* Replaces the gradient; NULL removes it. Shape and dtype must be those of t. */
AG_API ag_status ag_tensor_set_grad(ag_tensor* t, ag_tensor* grad);
/* Keeps the gradient of a non-leaf in the next backward. */
AG_API ag_status ag_tensor_retain_grad(ag_tensor* t);
/* 1 if retain_grad was called on a non-leaf; 0 for NULL. */
AG_API int32_t ag_tensor_retains_grad(const ag_tensor* t);
/* Removes, or zeroes if set_to_none is 0, the gradients of n tensors. */
AG_API ag_status ag_zero_grad(ag_tensor* const* tensors, int64_t n, int32_t set_to_none);

/* ---- autograd ---- */

/* Accumulates the gradients of sum_i <grads[i], tensors[i]> into the leaves (only into `inputs` if
 * n_inputs > 0). grads may be NULL, and so may each of its entries, where the tensor has one
 * element (then 1 is used). */
AG_API ag_status ag_backward(ag_tensor* const* tensors, ag_tensor* const* grads, int64_t n,
                             ag_tensor* const* inputs, int64_t n_inputs, int32_t retain_graph,
                             int32_t create_graph);
/* Gradients of the same sum with respect to `inputs`, written to out[n_inputs]; nothing is
 * accumulated. An input that the outputs do not depend on is an error, or NULL in out if
 * allow_unused. */
AG_API ag_status ag_grad(ag_tensor* const* outputs, ag_tensor* const* grad_outputs,
                         int64_t n_outputs, ag_tensor* const* inputs, int64_t n_inputs,
                         int32_t retain_graph, int32_t create_graph, int32_t allow_unused,
                         ag_tensor** out);

/* Calls hook whenever the gradient of t, summed over all its uses, has been computed. Runtime error
 * if t does not require grad. deleter (may be NULL) is called with context when the hook is gone;
 * it is not called if this call fails. */
AG_API ag_status ag_tensor_register_hook(ag_tensor* t, ag_hook hook, void* context,
                                         ag_deleter deleter);
/* Calls hook after each accumulation into the gradient of a leaf. Runtime error for a tensor that
 * is no leaf or does not require grad. deleter as above. */
AG_API ag_status ag_tensor_register_accumulation_hook(ag_tensor* t, ag_leaf_hook hook,
                                                      void* context, ag_deleter deleter);
/* Gives outputs, which the caller has computed from inputs without recording, a history that says:
 * made by a function called name whose gradient is rule. kinds, one ag_output_kind per output, may
 * be NULL. saved values, of which NULL entries stay NULL, are kept for ag_node_saved, their changes
 * in place noticed. zeros: 1 to hand zeros to rule where no gradient flowed. Writes out[n_outputs]:
 * references to outputs themselves, or to aliases of those that are views, inputs, or have a
 * history. deleter as above; where nothing is recorded it is called at once. */
AG_API ag_status ag_function_record(const char* name, ag_tensor* const* inputs, int64_t n_inputs,
                                    ag_tensor* const* outputs, int64_t n_outputs,
                                    const int32_t* kinds, ag_tensor* const* saved, int64_t n_saved,
                                    int32_t zeros, ag_rule rule, void* context, ag_deleter deleter,
                                    ag_tensor** out);
/* The same for many calls of one function: its name, rule and deleter are told once. The function
 * may be freed while histories of its calls live on. */
AG_API ag_function* ag_function_make(const char* name, ag_rule rule, ag_deleter deleter);
AG_API void ag_function_free(ag_function* function);
AG_API ag_status ag_function_record_call(const ag_function* function, ag_tensor* const* inputs,
                                         int64_t n_inputs, ag_tensor* const* outputs,
                                         int64_t n_outputs, const int32_t* kinds,
                                         ag_tensor* const* saved, int64_t n_saved, int32_t zeros,
                                         void* context, ag_tensor** out);

/* The op that recorded t, NULL for a leaf (for NULL with an error set). It keeps the graph behind
 * it alive. */
AG_API ag_node* ag_tensor_node(const ag_tensor* t);
/* Which output of its node t is, 0 for a leaf; -1 for NULL. */
AG_API int64_t ag_tensor_output_index(const ag_tensor* t);
/* Releases one reference; NULL is allowed. */
AG_API void ag_node_free(ag_node* node);
/* Another reference to the same node. */
AG_API ag_node* ag_node_retain(ag_node* node);
/* "AddBackward0", of a function "NameBackward"; text. */
AG_API int64_t ag_node_name(const ag_node* node, char* buffer, int64_t capacity);
/* Number of inputs of the op; -1 for NULL. */
AG_API int64_t ag_node_num_inputs(const ag_node* node);
/* Where the gradient of input i goes: writes a node and the number of its output, or a leaf; NULL
 * twice for an input that needs no gradient. */
AG_API ag_status ag_node_next(const ag_node* node, int64_t i, ag_node** next, int64_t* index,
                              ag_tensor** leaf);
/* The values that a function has saved: writes up to capacity references, NULL for absent ones, and
 * returns how many there are; 0 for an op of the library, -1 if they were freed or changed in
 * place. */
AG_API int64_t ag_node_saved(const ag_node* node, ag_tensor** out, int64_t capacity);
/* Says that the rule of the function whose node this is can't be differentiated again, such as one
 * that computes with numbers and not with ag_ functions: doing so is then a runtime error, not a
 * gradient that leaves it out. May be called in the rule itself. Value error for other nodes. */
AG_API ag_status ag_node_mark_once_differentiable(ag_node* node);
/* The context of the function whose node this is; NULL for other nodes. */
AG_API void* ag_node_context(const ag_node* node);
/* Calls hook each time before (after) the gradient of the op is computed. deleter as above. */
AG_API ag_status ag_node_register_prehook(ag_node* node, ag_node_hook hook, void* context,
                                          ag_deleter deleter);
AG_API ag_status ag_node_register_hook(ag_node* node, ag_node_hook hook, void* context,
                                       ag_deleter deleter);

/* Values that the calling thread saves for gradients go through pack, and come back through unpack
 * when they are needed, until the hooks are popped; only the innermost pair is asked. free_content
 * (may be NULL) gets each content when it is no longer needed, deleter (may be NULL) the context,
 * both from any thread. */
AG_API ag_status ag_saved_hooks_push(ag_pack pack, ag_unpack unpack, ag_deleter free_content,
                                     void* context, ag_deleter deleter);
/* Runtime error if there are none. */
AG_API ag_status ag_saved_hooks_pop(void);
/* A number of the innermost backward that runs on this thread; 0 if there is none. */
AG_API int64_t ag_current_backward(void);
/* 1 if that backward computes the gradients of the outputs of node or, if node is NULL, of a leaf;
 * -1 if both are NULL. */
AG_API int32_t ag_current_backward_reaches(const ag_node* node, const ag_tensor* leaf);

/* 1 if this thread is in inference mode: what it makes takes no part in gradients. */
AG_API int32_t ag_inference_mode(void);
/* Switches inference mode for this thread; returns what it was. Recording is off in it, whatever
 * ag_grad_enabled() says. */
AG_API int32_t ag_set_inference_mode(int32_t enabled);
/* 1 if t was made in inference mode or is a view of such a tensor; 0 for NULL. */
AG_API int32_t ag_tensor_is_inference(const ag_tensor* t);
/* Checks, in all threads, the results of each op's gradient for NaN, which then is a runtime error
 * that names the op. */
AG_API void ag_set_anomaly_detection(int32_t enabled, int32_t check_nan);
/* 0 if off, 1 if on, 2 if on with a check for NaN. */
AG_API int32_t ag_anomaly_detection(void);

/* ---- registered ops ---- */

/* Adds an op for the rest of the process's life; it passes through the same door as the library's
 * own, and graphs show its name (letters, digits, '_', '.', ':'). infer may be NULL: all outputs
 * then have the broadcast sizes and the promoted dtype of the inputs. backward may be NULL: no
 * gradient then. Bit i of saves_inputs (saves_outputs) says that backward reads input (output) i,
 * which is NULL for it otherwise; -1 for all. 1 <= n_outputs <= 16. Returns the op, which is never
 * freed; NULL, a value error, for a name that is taken. */
AG_API const ag_op* ag_op_register(const char* name, int64_t n_outputs, ag_op_infer infer,
                                   ag_op_forward forward, ag_op_backward backward,
                                   int64_t saves_inputs, int64_t saves_outputs, void* context);
/* The same for a backward that can't be differentiated again, such as one that computes with
 * numbers and not with ag_ functions: doing so is then a runtime error, not a gradient that leaves
 * it out. */
AG_API const ag_op* ag_op_register_once_differentiable(const char* name, int64_t n_outputs,
                                                       ag_op_infer infer, ag_op_forward forward,
                                                       ag_op_backward backward,
                                                       int64_t saves_inputs, int64_t saves_outputs,
                                                       void* context);
/* The op registered under a name; NULL, a value error, if there is none. */
AG_API const ag_op* ag_op_find(const char* name);
/* How many outputs it has; -1 for NULL. */
AG_API int64_t ag_op_num_outputs(const ag_op* op);
/* Calls a registered op; at most 3 numbers. Writes as many outputs as the op has. */
AG_API ag_status ag_op_call(const ag_op* op, ag_tensor* const* inputs, int64_t n_inputs,
                            const double* numbers, int64_t n_numbers, ag_tensor** out);

/* t as an input to differentiate a function by: a leaf of its own or, if t requires grad while
 * recording is on, a view of t; inside vmap it differs from example to example. Floats only. */
AG_API ag_tensor* ag_transform_input(const ag_tensor* t);
/* 1 if the outputs depend on leaves that require grad besides inputs, 0 if not, -1 on failure. */
AG_API int32_t ag_depends_on_others(ag_tensor* const* outputs, int64_t n_outputs,
                                    ag_tensor* const* inputs, int64_t n_inputs);

/* vmap: from begin to end tensors of the calling thread may stand for one of `size` examples.
 * Levels nest; begin returns a number that names the level, -1 on failure. randomness: what random
 * ops do, 0 fail, 1 the same for all examples, 2 different. */
AG_API int64_t ag_vmap_begin(int64_t size, int32_t randomness);
/* Runtime error unless level is the innermost of the thread. */
AG_API ag_status ag_vmap_end(int64_t level);
/* One example of t, whose dim `dim` counts the level's examples. */
AG_API ag_tensor* ag_vmap_example(const ag_tensor* t, int64_t dim, int64_t level);
/* All examples of t, counted by `dim`; repeated if t is the same for all. */
AG_API ag_tensor* ag_vmap_all(const ag_tensor* t, int64_t dim, int64_t level);
/* 1 if t differs between examples of the level, 0 if not, -1 on failure. */
AG_API int32_t ag_vmap_varies(const ag_tensor* t, int64_t level);
/* Of which of them, counted from 1, t is an example, the innermost if of several; 0: of none, -1 on
 * failure. */
AG_API int32_t ag_vmap_depth_of(const ag_tensor* t);
/* `fresh`, a tensor made to be written to, as an example of all levels that `like` is one of. */
AG_API ag_tensor* ag_vmap_like(const ag_tensor* fresh, const ag_tensor* like);
/* All examples of that level along dim 0, t itself if it is no example. */
AG_API ag_tensor* ag_vmap_value(const ag_tensor* t);

/* ---- source locations ---- */

/* Lines of the user's program are numbers > 1 that stay valid for as long as the process lives; 0
 * and 1 mean: unknown. The same line has the same number. function may be NULL; -1 if file is. */
AG_API int32_t ag_location_make(const char* file, int64_t line, const char* function);
/* What the number stands for; texts, "" where it is unknown. */
AG_API int64_t ag_location_file(int32_t location, char* buffer, int64_t capacity);
AG_API int64_t ag_location_function(int32_t location, char* buffer, int64_t capacity);
AG_API int64_t ag_location_line(int32_t location);
/* Where the calling thread is now. */
AG_API int32_t ag_location_here(void);
/* What the calling thread does from now on belongs to this line; 0: to where it is found to be.
 * Returns what was set before. */
AG_API int32_t ag_location_set(int32_t location);
/* Where t was made; what a backward makes has the line of the forward op that it belongs to. */
AG_API int32_t ag_tensor_made_at(const ag_tensor* t);
/* Where the memory of t was last changed in place, through any tensor that shares it, and by which
 * op; text. */
AG_API int32_t ag_tensor_changed_at(const ag_tensor* t);
AG_API int64_t ag_tensor_changed_by(const ag_tensor* t, char* buffer, int64_t capacity);
/* For the binding of a CPython that this process runs: from now on the lines of threads that are in
 * its code are found by themselves. resolver is called once for each instruction that leads into
 * the library, from any thread, and takes the interpreter's lock itself. NULL ends it and waits for
 * calls under way. Returns 1, or 0 where that can't be done: an interpreter of an unknown kind, or
 * another resolver in place. */
AG_API AG_BLOCKING int32_t ag_location_follow_python(ag_code_resolver resolver);
/* To be called when a code object that the resolver was asked about is freed. */
AG_API void ag_location_forget_code(const void* code);

/* Why t has no gradient of loss, or one of zeros: a text of lines: the reason's name, the location
 * to look at, a sentence, then the ops from the loss to where the gradient ends, each as "location
 * name". The names are those of GradReason in explain.hpp: healthy, not_reached, detached, no_grad,
 * ... A backward runs that accumulates and frees nothing. -1 if loss has not one element. */
AG_API AG_BLOCKING int64_t ag_explain_grad(const ag_tensor* t, const ag_tensor* loss, char* buffer,
                                           int64_t capacity);
/* Where loss, or the gradient of a leaf, turned non-finite: a text of lines: the reason's name
 * (NonfiniteReason in explain.hpp), "forward" or "backward", the location to look at, a sentence,
 * the op, the first bad value, its place ("1,0", "-" if unknown), the parameter's name, the
 * location where it was made, the number of inputs of the op; one line for each input: location, op
 * that made it, sizes and, where they are known, its least and greatest element and the element
 * that was used, between tabs; then the ops from the loss to this one, as above. Names as in
 * ag_graph_from_tensor. A backward runs that accumulates and frees nothing. */
AG_API AG_BLOCKING int64_t ag_explain_nonfinite(const ag_tensor* loss,
                                                const ag_tensor* const* named,
                                                const char* const* names, int64_t n,
                                                int64_t n_buffers, char* buffer, int64_t capacity);

/* ---- creation ---- */

/* 0-d numbers that take part in promotion as Python's numbers do: only their category counts. */
AG_API ag_tensor* ag_scalar_double(double value);
AG_API ag_tensor* ag_scalar_int(int64_t value);
AG_API ag_tensor* ag_scalar_bool(ag_bool value);
AG_API ag_tensor* ag_empty(const int64_t* sizes, int64_t ndim, ag_dtype dtype);
AG_API ag_tensor* ag_zeros(const int64_t* sizes, int64_t ndim, ag_dtype dtype);
AG_API ag_tensor* ag_ones(const int64_t* sizes, int64_t ndim, ag_dtype dtype);
/* `value` is a one-element tensor, for instance of ag_scalar_int. */
AG_API ag_tensor* ag_full(const int64_t* sizes, int64_t ndim, const ag_tensor* value,
                          ag_dtype dtype);
AG_API ag_tensor* ag_empty_like(const ag_tensor* t, ag_dtype dtype);
AG_API ag_tensor* ag_zeros_like(const ag_tensor* t, ag_dtype dtype);
AG_API ag_tensor* ag_ones_like(const ag_tensor* t, ag_dtype dtype);
/* start, start + step, ... below (or above, if step < 0) end. */
AG_API ag_tensor* ag_arange(double start, double end, double step, ag_dtype dtype);
/* `steps` evenly spaced numbers from start to end, both included. */
AG_API ag_tensor* ag_linspace(double start, double end, int64_t steps, ag_dtype dtype);
/* Windows of n weights for x from 0 to 1, a periodic one without the last of n + 1 points; dtype is
 * of floats. a - b cos(2 pi x) + c cos(4 pi x); 1 - |2 x - 1|; I0(beta sqrt(1 - (2 x - 1)^2)) /
 * I0(beta).
 */
AG_API ag_tensor* ag_cosine_window(int64_t n, ag_bool periodic, double a, double b, double c,
                                   ag_dtype dtype);
AG_API ag_tensor* ag_bartlett_window(int64_t n, ag_bool periodic, ag_dtype dtype);
AG_API ag_tensor* ag_kaiser_window(int64_t n, ag_bool periodic, double beta, ag_dtype dtype);
/* [n, m] with ones on the diagonal. */
AG_API ag_tensor* ag_eye(int64_t n, int64_t m, ag_dtype dtype);
/* Rows and columns, [2, n], of the elements on and below (triu: above) a diagonal of a matrix;
 * dtype int64 or int32. */
AG_API ag_tensor* ag_tril_indices(int64_t rows, int64_t columns, int64_t offset, ag_dtype dtype);
AG_API ag_tensor* ag_triu_indices(int64_t rows, int64_t columns, int64_t offset, ag_dtype dtype);
/* Uniform in [0, 1). */
AG_API ag_tensor* ag_rand(const int64_t* sizes, int64_t ndim, ag_dtype dtype);
/* Standard normal. */
AG_API ag_tensor* ag_randn(const int64_t* sizes, int64_t ndim, ag_dtype dtype);
/* Uniform integers in [low, high). */
AG_API ag_tensor* ag_randint(int64_t low, int64_t high, const int64_t* sizes, int64_t ndim,
                             ag_dtype dtype);
/* A random permutation of 0..n-1, int64. */
AG_API ag_tensor* ag_randperm(int64_t n);
/* 1 with probability p, else 0, for each p in [0, 1]; no gradient. */
AG_API ag_tensor* ag_bernoulli(const ag_tensor* p);
/* A number of the gamma distribution of each shape > 0 and rate 1; gradient by the shapes. */
AG_API ag_tensor* ag_standard_gamma(const ag_tensor* shape);
/* Events of each rate >= 0 (Poisson), and successes in each number of trials with each probability
 * (binomial; both of one dtype, and broadcast), as floats; gradients of zeros. */
AG_API ag_tensor* ag_poisson(const ag_tensor* rate);
AG_API ag_tensor* ag_binomial(const ag_tensor* trials, const ag_tensor* p);
/* int64 places drawn with the weights of each row of [n] or [rows, n], all different unless
 * replacement. */
AG_API ag_tensor* ag_multinomial(const ag_tensor* weights, int64_t num_samples,
                                 ag_bool replacement);

/* ---- pointwise: gradients to every order, PyTorch's promotion and broadcasting ---- */

AG_API ag_tensor* ag_neg(const ag_tensor* x);
AG_API ag_tensor* ag_abs(const ag_tensor* x);
/* -1, 0 or 1; 0 for NaN. */
AG_API ag_tensor* ag_sign(const ag_tensor* x);
/* Integers keep their dtype here and in the next three. */
AG_API ag_tensor* ag_floor(const ag_tensor* x);
AG_API ag_tensor* ag_ceil(const ag_tensor* x);
AG_API ag_tensor* ag_trunc(const ag_tensor* x);
/* Halves go to the even neighbour. */
AG_API ag_tensor* ag_round(const ag_tensor* x);
/* x - trunc(x). */
AG_API ag_tensor* ag_frac(const ag_tensor* x);
/* x^2; of bool int64. */
AG_API ag_tensor* ag_square(const ag_tensor* x);
AG_API ag_tensor* ag_sqrt(const ag_tensor* x);
/* 1 / sqrt(x). */
AG_API ag_tensor* ag_rsqrt(const ag_tensor* x);
/* 1 / x. */
AG_API ag_tensor* ag_reciprocal(const ag_tensor* x);
AG_API ag_tensor* ag_exp(const ag_tensor* x);
/* 2^x. */
AG_API ag_tensor* ag_exp2(const ag_tensor* x);
/* e^x - 1. */
AG_API ag_tensor* ag_expm1(const ag_tensor* x);
AG_API ag_tensor* ag_log(const ag_tensor* x);
AG_API ag_tensor* ag_log2(const ag_tensor* x);
AG_API ag_tensor* ag_log10(const ag_tensor* x);
/* log(1 + x). */
AG_API ag_tensor* ag_log1p(const ag_tensor* x);
AG_API ag_tensor* ag_sin(const ag_tensor* x);
AG_API ag_tensor* ag_cos(const ag_tensor* x);
AG_API ag_tensor* ag_tan(const ag_tensor* x);
AG_API ag_tensor* ag_asin(const ag_tensor* x);
AG_API ag_tensor* ag_acos(const ag_tensor* x);
AG_API ag_tensor* ag_atan(const ag_tensor* x);
AG_API ag_tensor* ag_sinh(const ag_tensor* x);
AG_API ag_tensor* ag_cosh(const ag_tensor* x);
AG_API ag_tensor* ag_tanh(const ag_tensor* x);
AG_API ag_tensor* ag_asinh(const ag_tensor* x);
AG_API ag_tensor* ag_acosh(const ag_tensor* x);
AG_API ag_tensor* ag_atanh(const ag_tensor* x);
/* sin(pi x) / (pi x). */
AG_API ag_tensor* ag_sinc(const ag_tensor* x);
/* 1 / (1 + e^-x). */
AG_API ag_tensor* ag_sigmoid(const ag_tensor* x);
AG_API ag_tensor* ag_erf(const ag_tensor* x);
/* 1 - erf(x). */
AG_API ag_tensor* ag_erfc(const ag_tensor* x);
/* The inverse of erf. */
AG_API ag_tensor* ag_erfinv(const ag_tensor* x);
/* -x log(x); 0 at 0, -inf below. */
AG_API ag_tensor* ag_entr(const ag_tensor* x);
/* log |gamma(x)|. */
AG_API ag_tensor* ag_lgamma(const ag_tensor* x);
/* The derivative of lgamma. */
AG_API ag_tensor* ag_digamma(const ag_tensor* x);
/* x pi / 180. */
AG_API ag_tensor* ag_deg2rad(const ag_tensor* x);
/* 180 x / pi. */
AG_API ag_tensor* ag_rad2deg(const ag_tensor* x);
/* Rounded to 10^-decimals; floats only. */
AG_API ag_tensor* ag_round_decimals(const ag_tensor* x, int64_t decimals);
/* Modified Bessel functions of the first kind, of order 0 and 1; i0e and i1e times exp(-|x|). */
AG_API ag_tensor* ag_i0(const ag_tensor* x);
AG_API ag_tensor* ag_i0e(const ag_tensor* x);
AG_API ag_tensor* ag_i1(const ag_tensor* x);
AG_API ag_tensor* ag_i1e(const ag_tensor* x);
/* x = mantissa 2^exponent with 0.5 <= |mantissa| < 1, exponent int32. */
AG_API ag_status ag_frexp(const ag_tensor* x, ag_tensor** mantissa, ag_tensor** exponent);
/* The derivative of order n >= 0 of digamma. */
AG_API ag_tensor* ag_polygamma(const ag_tensor* x, int64_t n);
/* log(x / (1 - x)); x is limited to [eps, 1 - eps] unless eps, a number, is NULL. */
AG_API ag_tensor* ag_logit(const ag_tensor* x, const ag_tensor* eps);
/* NaN and infinities replaced by numbers; NULL: by the largest finite ones. */
AG_API ag_tensor* ag_nan_to_num(const ag_tensor* x, double nan, const ag_tensor* posinf,
                                const ag_tensor* neginf);
/* min and max are one-element or broadcastable tensors; either may be NULL, not both. */
AG_API ag_tensor* ag_clamp(const ag_tensor* x, const ag_tensor* min, const ag_tensor* max);
/* Integers and bool only; no gradient. */
AG_API ag_tensor* ag_bitwise_not(const ag_tensor* x);
/* Predicates give bool and no gradient. */
AG_API ag_tensor* ag_isnan(const ag_tensor* x);
AG_API ag_tensor* ag_isinf(const ag_tensor* x);
AG_API ag_tensor* ag_isposinf(const ag_tensor* x);
AG_API ag_tensor* ag_isneginf(const ag_tensor* x);
AG_API ag_tensor* ag_isfinite(const ag_tensor* x);
AG_API ag_tensor* ag_signbit(const ag_tensor* x);
AG_API ag_tensor* ag_logical_not(const ag_tensor* x);

AG_API ag_tensor* ag_add(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_sub(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_mul(const ag_tensor* a, const ag_tensor* b);
/* True division: integers give float32. */
AG_API ag_tensor* ag_div(const ag_tensor* a, const ag_tensor* b);
/* floor(a / b) and trunc(a / b), with a gradient of zeros. For these and the next three: an integer
 * divided by 0 is a runtime error. */
AG_API ag_tensor* ag_div_floor(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_div_trunc(const ag_tensor* a, const ag_tensor* b);
/* floor(a / b); its backward is an error. */
AG_API ag_tensor* ag_floor_divide(const ag_tensor* a, const ag_tensor* b);
/* a - floor(a / b) b. */
AG_API ag_tensor* ag_remainder(const ag_tensor* a, const ag_tensor* b);
/* a - trunc(a / b) b. */
AG_API ag_tensor* ag_fmod(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_pow(const ag_tensor* a, const ag_tensor* b);
/* pow in float64. */
AG_API ag_tensor* ag_float_power(const ag_tensor* a, const ag_tensor* b);
/* a 2^b. */
AG_API ag_tensor* ag_ldexp(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_maximum(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_minimum(const ag_tensor* a, const ag_tensor* b);
/* The other number where one is NaN. */
AG_API ag_tensor* ag_fmax(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_fmin(const ag_tensor* a, const ag_tensor* b);
/* The angle of the point (b, a). */
AG_API ag_tensor* ag_atan2(const ag_tensor* a, const ag_tensor* b);
/* sqrt(a^2 + b^2). */
AG_API ag_tensor* ag_hypot(const ag_tensor* a, const ag_tensor* b);
/* a log(b), 0 where a is 0. */
AG_API ag_tensor* ag_xlogy(const ag_tensor* a, const ag_tensor* b);
/* The probability that a number of the gamma distribution of shape a lies below b, and above. */
AG_API ag_tensor* ag_igamma(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_igammac(const ag_tensor* a, const ag_tensor* b);
/* db/da where igamma(a, b) is kept; no gradient. */
AG_API ag_tensor* ag_gamma_number_slope(const ag_tensor* a, const ag_tensor* b);
/* log(e^a + e^b). */
AG_API ag_tensor* ag_logaddexp(const ag_tensor* a, const ag_tensor* b);
/* log2(2^a + 2^b). */
AG_API ag_tensor* ag_logaddexp2(const ag_tensor* a, const ag_tensor* b);
/* |a| with the sign of b. */
AG_API ag_tensor* ag_copysign(const ag_tensor* a, const ag_tensor* b);
/* The float next to a in the direction of b; floats only. */
AG_API ag_tensor* ag_nextafter(const ag_tensor* a, const ag_tensor* b);
/* 0, b or 1 for a below, at or above 0; equal dtypes; its backward is an error. */
AG_API ag_tensor* ag_heaviside(const ag_tensor* a, const ag_tensor* b);
/* x + value a b. */
AG_API ag_tensor* ag_addcmul(const ag_tensor* x, const ag_tensor* a, const ag_tensor* b,
                             double value);
/* x + value a / b. */
AG_API ag_tensor* ag_addcdiv(const ag_tensor* x, const ag_tensor* a, const ag_tensor* b,
                             double value);
/* x + weight (end - x). */
AG_API ag_tensor* ag_lerp(const ag_tensor* x, const ag_tensor* end, const ag_tensor* weight);
/* a where condition (bool), else b. */
AG_API ag_tensor* ag_where(const ag_tensor* condition, const ag_tensor* a, const ag_tensor* b);
/* Integers and bool only, the last four integers only; no gradient. */
AG_API ag_tensor* ag_bitwise_and(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_bitwise_or(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_bitwise_xor(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_bitwise_left_shift(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_bitwise_right_shift(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_gcd(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_lcm(const ag_tensor* a, const ag_tensor* b);
/* Comparisons give bool and no gradient. */
AG_API ag_tensor* ag_eq(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_ne(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_lt(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_le(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_gt(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_ge(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_logical_and(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_logical_or(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_logical_xor(const ag_tensor* a, const ag_tensor* b);
/* |a - b| <= atol + rtol |b|; equal dtypes. */
AG_API ag_tensor* ag_isclose(const ag_tensor* a, const ag_tensor* b, double rtol, double atol,
                             ag_bool equal_nan);
/* The same elements in another dtype; a new reference to t itself if it has that dtype already. */
AG_API ag_tensor* ag_to_dtype(const ag_tensor* t, ag_dtype dtype);

/* Activations; see also tanh and sigmoid. Floats only unless said otherwise. max(x, 0); integers
 * too. */
AG_API ag_tensor* ag_relu(const ag_tensor* x);
/* x where x > 0, else negative_slope * x. */
AG_API ag_tensor* ag_leaky_relu(const ag_tensor* x, double negative_slope);
/* x where x > 0, else weight * x; weight has one element or one per channel (dim 1). */
AG_API ag_tensor* ag_prelu(const ag_tensor* x, const ag_tensor* weight);
/* leaky_relu with slopes drawn from [lower, upper), or, unless training, with their mean. */
AG_API ag_tensor* ag_rrelu(const ag_tensor* x, double lower, double upper, ag_bool training);
/* x where x > 0, else alpha (e^x - 1). */
AG_API ag_tensor* ag_elu(const ag_tensor* x, double alpha);
/* elu, scaled. */
AG_API ag_tensor* ag_selu(const ag_tensor* x);
/* x where x > 0, else alpha (e^(x / alpha) - 1). */
AG_API ag_tensor* ag_celu(const ag_tensor* x, double alpha);
/* x times the probability that a normal number is below x. */
AG_API ag_tensor* ag_gelu(const ag_tensor* x);
/* gelu approximated with tanh. */
AG_API ag_tensor* ag_gelu_tanh(const ag_tensor* x);
/* x sigmoid(x). */
AG_API ag_tensor* ag_silu(const ag_tensor* x);
/* x tanh(log(1 + e^x)). */
AG_API ag_tensor* ag_mish(const ag_tensor* x);
/* log(1 + e^(beta x)) / beta; x where beta x > threshold. */
AG_API ag_tensor* ag_softplus(const ag_tensor* x, double beta, double threshold);
/* x / (1 + |x|); integers become floats. */
AG_API ag_tensor* ag_softsign(const ag_tensor* x);
/* log(sigmoid(x)). */
AG_API ag_tensor* ag_logsigmoid(const ag_tensor* x);
/* x limited to [min_val, max_val], without slope at the limits; integers too. */
AG_API ag_tensor* ag_hardtanh(const ag_tensor* x, double min_val, double max_val);
/* min(max(x + 3, 0), 6) / 6. */
AG_API ag_tensor* ag_hardsigmoid(const ag_tensor* x);
/* x hardsigmoid(x). */
AG_API ag_tensor* ag_hardswish(const ag_tensor* x);
/* x - tanh(x); integers become floats. */
AG_API ag_tensor* ag_tanhshrink(const ag_tensor* x);
/* x moved towards 0 by lambd >= 0, 0 on the way. */
AG_API ag_tensor* ag_softshrink(const ag_tensor* x, double lambd);
/* 0 where |x| <= lambd, else x. */
AG_API ag_tensor* ag_hardshrink(const ag_tensor* x, double lambd);
/* x where x > threshold, else value; integers too. */
AG_API ag_tensor* ag_threshold(const ag_tensor* x, double threshold, double value);
/* a sigmoid(b) for the halves a and b of x along dim. */
AG_API ag_tensor* ag_glu(const ag_tensor* x, int64_t dim);

/* In place: self keeps its shape and dtype, takes part in autograd as the result, and its version
 * goes up. */
AG_API ag_status ag_neg_(ag_tensor* self);
AG_API ag_status ag_abs_(ag_tensor* self);
AG_API ag_status ag_sign_(ag_tensor* self);
AG_API ag_status ag_floor_(ag_tensor* self);
AG_API ag_status ag_ceil_(ag_tensor* self);
AG_API ag_status ag_trunc_(ag_tensor* self);
AG_API ag_status ag_round_(ag_tensor* self);
AG_API ag_status ag_frac_(ag_tensor* self);
AG_API ag_status ag_square_(ag_tensor* self);
AG_API ag_status ag_sqrt_(ag_tensor* self);
AG_API ag_status ag_rsqrt_(ag_tensor* self);
AG_API ag_status ag_reciprocal_(ag_tensor* self);
AG_API ag_status ag_exp_(ag_tensor* self);
AG_API ag_status ag_exp2_(ag_tensor* self);
AG_API ag_status ag_expm1_(ag_tensor* self);
AG_API ag_status ag_log_(ag_tensor* self);
AG_API ag_status ag_log2_(ag_tensor* self);
AG_API ag_status ag_log10_(ag_tensor* self);
AG_API ag_status ag_log1p_(ag_tensor* self);
AG_API ag_status ag_sin_(ag_tensor* self);
AG_API ag_status ag_cos_(ag_tensor* self);
AG_API ag_status ag_tan_(ag_tensor* self);
AG_API ag_status ag_asin_(ag_tensor* self);
AG_API ag_status ag_acos_(ag_tensor* self);
AG_API ag_status ag_atan_(ag_tensor* self);
AG_API ag_status ag_sinh_(ag_tensor* self);
AG_API ag_status ag_cosh_(ag_tensor* self);
AG_API ag_status ag_tanh_(ag_tensor* self);
AG_API ag_status ag_asinh_(ag_tensor* self);
AG_API ag_status ag_acosh_(ag_tensor* self);
AG_API ag_status ag_atanh_(ag_tensor* self);
AG_API ag_status ag_sinc_(ag_tensor* self);
AG_API ag_status ag_sigmoid_(ag_tensor* self);
AG_API ag_status ag_erf_(ag_tensor* self);
AG_API ag_status ag_erfc_(ag_tensor* self);
AG_API ag_status ag_erfinv_(ag_tensor* self);
AG_API ag_status ag_lgamma_(ag_tensor* self);
AG_API ag_status ag_digamma_(ag_tensor* self);
AG_API ag_status ag_deg2rad_(ag_tensor* self);
AG_API ag_status ag_rad2deg_(ag_tensor* self);
AG_API ag_status ag_bitwise_not_(ag_tensor* self);
AG_API ag_status ag_logical_not_(ag_tensor* self);
AG_API ag_status ag_add_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_sub_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_mul_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_div_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_div_floor_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_div_trunc_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_floor_divide_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_remainder_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_fmod_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_pow_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_float_power_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_ldexp_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_atan2_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_hypot_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_xlogy_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_igamma_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_igammac_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_copysign_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_nextafter_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_heaviside_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_bitwise_and_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_bitwise_or_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_bitwise_xor_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_bitwise_left_shift_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_bitwise_right_shift_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_gcd_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_lcm_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_eq_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_ne_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_lt_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_le_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_gt_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_ge_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_logical_and_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_logical_or_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_logical_xor_(ag_tensor* self, const ag_tensor* other);
AG_API ag_status ag_round_decimals_(ag_tensor* self, int64_t decimals);
AG_API ag_status ag_polygamma_(ag_tensor* self, int64_t n);
AG_API ag_status ag_logit_(ag_tensor* self, const ag_tensor* eps);
AG_API ag_status ag_nan_to_num_(ag_tensor* self, double nan, const ag_tensor* posinf,
                                const ag_tensor* neginf);
AG_API ag_status ag_addcmul_(ag_tensor* self, const ag_tensor* a, const ag_tensor* b, double value);
AG_API ag_status ag_addcdiv_(ag_tensor* self, const ag_tensor* a, const ag_tensor* b, double value);
AG_API ag_status ag_lerp_(ag_tensor* self, const ag_tensor* end, const ag_tensor* weight);
AG_API ag_status ag_relu_(ag_tensor* self);
AG_API ag_status ag_selu_(ag_tensor* self);
AG_API ag_status ag_silu_(ag_tensor* self);
AG_API ag_status ag_mish_(ag_tensor* self);
AG_API ag_status ag_hardswish_(ag_tensor* self);
AG_API ag_status ag_hardsigmoid_(ag_tensor* self);
AG_API ag_status ag_leaky_relu_(ag_tensor* self, double negative_slope);
AG_API ag_status ag_rrelu_(ag_tensor* self, double lower, double upper, ag_bool training);
AG_API ag_status ag_elu_(ag_tensor* self, double alpha);
AG_API ag_status ag_celu_(ag_tensor* self, double alpha);
AG_API ag_status ag_hardtanh_(ag_tensor* self, double min_val, double max_val);
AG_API ag_status ag_threshold_(ag_tensor* self, double threshold, double value);
AG_API ag_status ag_clamp_(ag_tensor* self, const ag_tensor* min, const ag_tensor* max);
/* Copies src, broadcast and converted, into self. */
AG_API ag_status ag_copy_(ag_tensor* self, const ag_tensor* src);
AG_API ag_status ag_zero_(ag_tensor* self);
/* `value` has one element. */
AG_API ag_status ag_fill_(ag_tensor* self, const ag_tensor* value);
/* Fills with numbers uniform in [low, high). */
AG_API ag_status ag_uniform_(ag_tensor* self, double low, double high);
/* Fills with normal numbers. */
AG_API ag_status ag_normal_(ag_tensor* self, double mean, double std);
/* Fills with integers uniform in [low, high). */
AG_API ag_status ag_random_(ag_tensor* self, int64_t low, int64_t high);
/* Fills with numbers of the density rate e^(-rate x), never 0. */
AG_API ag_status ag_exponential_(ag_tensor* self, double rate);
/* Fills with e to normal numbers. */
AG_API ag_status ag_log_normal_(ag_tensor* self, double mean, double std);
AG_API ag_status ag_cauchy_(ag_tensor* self, double median, double sigma);
/* Fills with trials to the first success, 1, 2, ..., each with probability p in (0, 1). */
AG_API ag_status ag_geometric_(ag_tensor* self, double p);

/* ---- products ---- */

/* [m, k] x [k, n] -> [m, n]. */
AG_API ag_tensor* ag_mm(const ag_tensor* a, const ag_tensor* b);
/* [B, m, k] x [B, k, n] -> [B, m, n]. */
AG_API ag_tensor* ag_bmm(const ag_tensor* a, const ag_tensor* b);
/* As PyTorch's matmul: vectors, matrices, and batches that broadcast. */
AG_API ag_tensor* ag_matmul(const ag_tensor* a, const ag_tensor* b);
/* [m, k] x [k] -> [m]. */
AG_API ag_tensor* ag_mv(const ag_tensor* a, const ag_tensor* b);
/* [n] x [n] -> 0-d. */
AG_API ag_tensor* ag_dot(const ag_tensor* a, const ag_tensor* b);
AG_API ag_tensor* ag_vdot(const ag_tensor* a, const ag_tensor* b);
/* [m] x [n] -> [m, n]. */
AG_API ag_tensor* ag_outer(const ag_tensor* a, const ag_tensor* b);
/* Sums of products over the last dims of both. */
AG_API ag_tensor* ag_inner(const ag_tensor* a, const ag_tensor* b);
/* beta * input + alpha * (a x b); input broadcasts to [m, n] and is not read if beta is 0. */
AG_API ag_tensor* ag_addmm(const ag_tensor* input, const ag_tensor* a, const ag_tensor* b,
                           double beta, double alpha);
/* The same for batches, [B, m, k] x [B, k, n]. */
AG_API ag_tensor* ag_baddbmm(const ag_tensor* input, const ag_tensor* a, const ag_tensor* b,
                             double beta, double alpha);
/* The same with the products summed over the batch. */
AG_API ag_tensor* ag_addbmm(const ag_tensor* input, const ag_tensor* a, const ag_tensor* b,
                            double beta, double alpha);
/* beta * input + alpha * (a x b) for a matrix a and a vector b. */
AG_API ag_tensor* ag_addmv(const ag_tensor* input, const ag_tensor* a, const ag_tensor* b,
                           double beta, double alpha);
/* beta * input + alpha * outer(a, b). */
AG_API ag_tensor* ag_addr(const ag_tensor* input, const ag_tensor* a, const ag_tensor* b,
                          double beta, double alpha);
/* Einstein summation in PyTorch's grammar: "...ij,...jk->...ik". Repeated subscripts take
 * diagonals, subscripts that the output lacks are summed. */
AG_API ag_tensor* ag_einsum(const char* equation, const ag_tensor* const* operands, int64_t n);
/* Contracts dim dims_a[i] of a with dim dims_b[i] of b. */
AG_API ag_tensor* ag_tensordot(const ag_tensor* a, const ag_tensor* b, const int64_t* dims_a,
                               int64_t n_dims_a, const int64_t* dims_b, int64_t n_dims_b);
/* Every element of a times all of b. */
AG_API ag_tensor* ag_kron(const ag_tensor* a, const ag_tensor* b);
/* The sum of a matrix's diagonal. */
AG_API ag_tensor* ag_trace(const ag_tensor* x);
/* The product of two or more matrices in the cheapest order; the first and last may be vectors. */
AG_API ag_tensor* ag_multi_dot(const ag_tensor* const* matrices, int64_t n);
/* x [..., in] times weight [out, in] transposed, plus bias [out] (may be NULL). */
AG_API ag_tensor* ag_linear(const ag_tensor* x, const ag_tensor* weight, const ag_tensor* bias);
/* x1^T weight[k] x2 + bias[k], for x1 [..., in1], x2 [..., in2], weight [out, in1, in2], bias [out]
 * (may be NULL). */
AG_API ag_tensor* ag_bilinear(const ag_tensor* x1, const ag_tensor* x2, const ag_tensor* weight,
                              const ag_tensor* bias);

/* ---- linear algebra ---- */

/* Over the last two dims, [..., n, n] in float32 or float64; leading dims are a batch. A matrix
 * without a result is AG_ERROR_LINALG. The inverse. */
AG_API ag_tensor* ag_linalg_inv(const ag_tensor* a);
/* The inverse without that error (unless check_errors), and per matrix (int32) the number of the
 * pivot that is 0, or 0. */
AG_API ag_status ag_linalg_inv_ex(const ag_tensor* a, ag_bool check_errors, ag_tensor** inverse,
                                  ag_tensor** info);
/* x with a x = b (x a = b if not left). b [..., n, k], [n], or the sizes of a without the last. */
AG_API ag_tensor* ag_linalg_solve(const ag_tensor* a, const ag_tensor* b, ag_bool left);
/* The same for a triangular a, whose other half (and diagonal, if unitriangular) is not read. */
AG_API ag_tensor* ag_linalg_solve_triangular(const ag_tensor* a, const ag_tensor* b, ag_bool upper,
                                             ag_bool left, ag_bool unitriangular);
/* l with l l^T = a, from the lower half of a; or u with u^T u = a, from the upper. */
AG_API ag_tensor* ag_linalg_cholesky(const ag_tensor* a, ag_bool upper);
/* The factor without that error (unless check_errors), and per matrix (int32) the order of the
 * leading minor that is not positive, or 0. */
AG_API ag_status ag_linalg_cholesky_ex(const ag_tensor* a, ag_bool upper, ag_bool check_errors,
                                       ag_tensor** factor, ag_tensor** info);
AG_API ag_tensor* ag_linalg_det(const ag_tensor* a);
/* Sign and log of the absolute value of the determinant; 0 and -inf for a singular matrix. */
AG_API ag_status ag_linalg_slogdet(const ag_tensor* a, ag_tensor** sign, ag_tensor** logabsdet);
/* q [.., m, k] of orthonormal columns and an upper triangular r [.., k, n] with q r = a; k is
 * min(m, n), or m if complete. */
AG_API ag_status ag_linalg_qr(const ag_tensor* a, ag_bool complete, ag_tensor** q, ag_tensor** r);
/* Ascending eigenvalues [.., n] and eigenvectors, the columns of vectors, of symmetric matrices of
 * which the lower (upper) half is read. */
AG_API ag_status ag_linalg_eigh(const ag_tensor* a, ag_bool upper, ag_tensor** values,
                                ag_tensor** vectors);
/* u diag(s) vh = a with a descending s [.., min(m, n)]; u and vh are square if full_matrices. */
AG_API ag_status ag_linalg_svd(const ag_tensor* a, ag_bool full_matrices, ag_tensor** u,
                               ag_tensor** s, ag_tensor** vh);
/* The s of ag_linalg_svd alone. */
AG_API ag_tensor* ag_linalg_svdvals(const ag_tensor* a);
/* The pseudoinverse; singular values up to max(atol, rtol times the largest) count as 0. */
AG_API ag_tensor* ag_linalg_pinv(const ag_tensor* a, double atol, double rtol);
/* Of a [.., m, n]: l (unit diagonal, strictly below it) and u (on it and above) in one tensor, the
 * row, from 1, that each of the first k = min(m, n) was exchanged with (int32, [.., k]), and per
 * matrix (int32) the number of the first pivot that is 0, or 0; an error if check_errors. */
AG_API ag_status ag_linalg_lu_factor_ex(const ag_tensor* a, ag_bool check_errors, ag_tensor** lu,
                                        ag_tensor** pivots, ag_tensor** info);
/* The permutation p [.., m, m], l [.., m, k] and u [.., k, n] of a = p l u from those. */
AG_API ag_status ag_lu_unpack(const ag_tensor* lu, const ag_tensor* pivots, ag_tensor** p,
                              ag_tensor** l, ag_tensor** u);
/* x with a x = b (x a = b if not left; of the transposed a if adjoint), b a matrix, from those. */
AG_API ag_tensor* ag_linalg_lu_solve(const ag_tensor* lu, const ag_tensor* pivots,
                                     const ag_tensor* b, ag_bool left, ag_bool adjoint);
/* The sum of a^i / i!, [.., n, n]. */
AG_API ag_tensor* ag_linalg_matrix_exp(const ag_tensor* a);
/* The x [.., n, k] of smallest norm with the least |a x - b| for b [.., m, k], and the ranks of a
 * (int64); singular values up to rtol times the largest count as 0. */
AG_API ag_status ag_linalg_lstsq(const ag_tensor* a, const ag_tensor* b, double rtol, ag_tensor** x,
                                 ag_tensor** rank);
/* a to an integer power; any dtype but bool for n >= 0. */
AG_API ag_tensor* ag_linalg_matrix_power(const ag_tensor* a, int64_t n);
/* The cross product of vectors of 3 along dim. */
AG_API ag_tensor* ag_linalg_cross(const ag_tensor* a, const ag_tensor* b, int64_t dim);

/* ---- reductions ---- */

/* dtype -1: integers and bool are summed as int64, floats keep theirs. */
AG_API ag_tensor* ag_sum(const ag_tensor* x, const int64_t* dims, int64_t ndims, ag_bool keepdim,
                         int32_t dtype);
AG_API ag_tensor* ag_mean(const ag_tensor* x, const int64_t* dims, int64_t ndims, ag_bool keepdim,
                          int32_t dtype);
/* Variance with divisor max(0, N - correction). */
AG_API ag_tensor* ag_var(const ag_tensor* x, const int64_t* dims, int64_t ndims, double correction,
                         ag_bool keepdim);
/* Over all elements, or over dims; ties share the gradient evenly. */
AG_API ag_tensor* ag_amax(const ag_tensor* x, const int64_t* dims, int64_t ndims, ag_bool keepdim);
AG_API ag_tensor* ag_amin(const ag_tensor* x, const int64_t* dims, int64_t ndims, ag_bool keepdim);
/* Over all elements. */
AG_API ag_tensor* ag_max(const ag_tensor* x);
AG_API ag_tensor* ag_min(const ag_tensor* x);
/* Values and int64 positions along one dim; the gradient goes to the position. */
AG_API ag_status ag_max_dim(const ag_tensor* x, int64_t dim, ag_bool keepdim, ag_tensor** values,
                            ag_tensor** indices);
AG_API ag_status ag_min_dim(const ag_tensor* x, int64_t dim, ag_bool keepdim, ag_tensor** values,
                            ag_tensor** indices);
/* int64 position of the first maximum, along dims[0] or (ndims 0) in the flattened tensor. */
AG_API ag_tensor* ag_argmax(const ag_tensor* x, const int64_t* dims, int64_t ndims,
                            ag_bool keepdim);
AG_API ag_tensor* ag_argmin(const ag_tensor* x, const int64_t* dims, int64_t ndims,
                            ag_bool keepdim);

/* Product of all elements, or along dims[0] if ndims is 1; dtype as in ag_sum. */
AG_API ag_tensor* ag_prod(const ag_tensor* x, const int64_t* dims, int64_t ndims, ag_bool keepdim,
                          int32_t dtype);
/* Square root of ag_var. */
AG_API ag_tensor* ag_std(const ag_tensor* x, const int64_t* dims, int64_t ndims, double correction,
                         ag_bool keepdim);
AG_API ag_status ag_var_mean(const ag_tensor* x, const int64_t* dims, int64_t ndims,
                             double correction, ag_bool keepdim, ag_tensor** var, ag_tensor** mean);
AG_API ag_status ag_std_mean(const ag_tensor* x, const int64_t* dims, int64_t ndims,
                             double correction, ag_bool keepdim, ag_tensor** std, ag_tensor** mean);
/* log(sum exp(x)), without overflow; integers become floats. */
AG_API ag_tensor* ag_logsumexp(const ag_tensor* x, const int64_t* dims, int64_t ndims,
                               ag_bool keepdim);
/* (sum |x|^ord)^(1 / ord); ord 0 counts what is not 0, inf and -inf give the extremes of |x|. dtype
 * -1: that of x. */
AG_API ag_tensor* ag_vector_norm(const ag_tensor* x, double ord, const int64_t* dims, int64_t ndims,
                                 ag_bool keepdim, int32_t dtype);
/* x with the slices along dim whose p-norm is larger than maxnorm scaled down to it; p > 0. */
AG_API ag_tensor* ag_renorm(const ag_tensor* x, double p, int64_t dim, double maxnorm);
AG_API ag_status ag_renorm_(ag_tensor* self, double p, int64_t dim, double maxnorm);
/* Some element, or every element, is not 0: bool, for uint8 uint8; no gradient. */
AG_API ag_tensor* ag_any(const ag_tensor* x, const int64_t* dims, int64_t ndims, ag_bool keepdim);
AG_API ag_tensor* ag_all(const ag_tensor* x, const int64_t* dims, int64_t ndims, ag_bool keepdim);
/* int64. */
AG_API ag_tensor* ag_count_nonzero(const ag_tensor* x, const int64_t* dims, int64_t ndims);
/* Sum and mean of what is not NaN. */
AG_API ag_tensor* ag_nansum(const ag_tensor* x, const int64_t* dims, int64_t ndims, ag_bool keepdim,
                            int32_t dtype);
AG_API ag_tensor* ag_nanmean(const ag_tensor* x, const int64_t* dims, int64_t ndims,
                             ag_bool keepdim, int32_t dtype);
/* How often each number occurs in x [n] of non-negative integers, or the sums of their weights (may
 * be NULL); at least minlength numbers. */
AG_API ag_tensor* ag_bincount(const ag_tensor* x, const ag_tensor* weights, int64_t minlength);
/* ag_amin and ag_amax, of all elements or along dims[0]. */
AG_API ag_status ag_aminmax(const ag_tensor* x, const int64_t* dims, int64_t ndims, ag_bool keepdim,
                            ag_tensor** min, ag_tensor** max);
/* The lower median of all elements; equal ones share the gradient. A NaN is the median, or is
 * passed over by nanmedian. */
AG_API ag_tensor* ag_median(const ag_tensor* x);
AG_API ag_tensor* ag_nanmedian(const ag_tensor* x);
/* Values and int64 positions along one dim; the gradient goes to the position. */
AG_API ag_status ag_median_dim(const ag_tensor* x, int64_t dim, ag_bool keepdim, ag_tensor** values,
                               ag_tensor** indices);
AG_API ag_status ag_nanmedian_dim(const ag_tensor* x, int64_t dim, ag_bool keepdim,
                                  ag_tensor** values, ag_tensor** indices);
/* The elements at the places q (n - 1) of the n sorted ones, of all or along dims[0]; q is 0-d or
 * [Q], in [0, 1], of x's float dtype, the result [Q, ...]. A NaN is the quantile of its row, or is
 * passed over by nanquantile. */
AG_API ag_tensor* ag_quantile(const ag_tensor* x, const ag_tensor* q, const int64_t* dims,
                              int64_t ndims, ag_bool keepdim, ag_quantile_interpolation mode);
AG_API ag_tensor* ag_nanquantile(const ag_tensor* x, const ag_tensor* q, const int64_t* dims,
                                 int64_t ndims, ag_bool keepdim, ag_quantile_interpolation mode);
/* The most frequent element along dim, the smallest of several, and its last position. */
AG_API ag_status ag_mode(const ag_tensor* x, int64_t dim, ag_bool keepdim, ag_tensor** values,
                         ag_tensor** indices);
/* Running sums and products along a dim; dtype as in ag_sum. */
AG_API ag_tensor* ag_cumsum(const ag_tensor* x, int64_t dim, int32_t dtype);
AG_API ag_tensor* ag_cumprod(const ag_tensor* x, int64_t dim, int32_t dtype);
/* Running extremes and their int64 positions, the last of equal ones. */
AG_API ag_status ag_cummax(const ag_tensor* x, int64_t dim, ag_tensor** values,
                           ag_tensor** indices);
AG_API ag_status ag_cummin(const ag_tensor* x, int64_t dim, ag_tensor** values,
                           ag_tensor** indices);
AG_API ag_tensor* ag_logcumsumexp(const ag_tensor* x, int64_t dim);
/* n-th differences of neighbours along dim, after joining prepend and append (may be NULL). */
AG_API ag_tensor* ag_diff(const ag_tensor* x, int64_t n, int64_t dim, const ag_tensor* prepend,
                          const ag_tensor* append);
/* Area under y along dim by the trapezoidal rule, at the points x, or dx apart if x is NULL. */
AG_API ag_tensor* ag_trapezoid(const ag_tensor* y, const ag_tensor* x, double dx, int64_t dim);

/* ---- shape: views where PyTorch gives views ---- */

/* One size may be -1. A view where possible, else a copy. */
AG_API ag_tensor* ag_reshape(const ag_tensor* x, const int64_t* sizes, int64_t ndim);
/* As reshape, but an error where a copy would be needed. */
AG_API ag_tensor* ag_view(const ag_tensor* x, const int64_t* sizes, int64_t ndim);
AG_API ag_tensor* ag_transpose(const ag_tensor* x, int64_t dim0, int64_t dim1);
/* The transposed matrix; runtime error for more than 2 dims. */
AG_API ag_tensor* ag_t(const ag_tensor* x);
AG_API ag_tensor* ag_permute(const ag_tensor* x, const int64_t* dims, int64_t ndims);
/* -1 keeps a size. */
AG_API ag_tensor* ag_expand(const ag_tensor* x, const int64_t* sizes, int64_t ndim);
/* Removes the given dims of size 1 (all of them for count 0). */
AG_API ag_tensor* ag_squeeze(const ag_tensor* x, const int64_t* dims, int64_t ndims);
AG_API ag_tensor* ag_unsqueeze(const ag_tensor* x, int64_t dim);
AG_API ag_tensor* ag_flatten(const ag_tensor* x, int64_t start_dim, int64_t end_dim);
/* x[..., index, ...] at dim. */
AG_API ag_tensor* ag_select(const ag_tensor* x, int64_t dim, int64_t index);
/* x[..., start:end:step, ...] at dim, Python's slice rules, step > 0. */
AG_API ag_tensor* ag_slice(const ag_tensor* x, int64_t dim, int64_t start, int64_t end,
                           int64_t step);
AG_API ag_tensor* ag_cat(const ag_tensor* const* tensors, int64_t n, int64_t dim);
AG_API ag_tensor* ag_stack(const ag_tensor* const* tensors, int64_t n, int64_t dim);
/* Views of the given sizes along dim, written to out[n]. */
AG_API ag_status ag_split(const ag_tensor* x, const int64_t* sizes, int64_t n, int64_t dim,
                          ag_tensor** out);
/* At most `chunks` equal views along dim; out has room for `chunks`, *count (NULL allowed) says how
 * many were written. */
AG_API ag_status ag_chunk(const ag_tensor* x, int64_t chunks, int64_t dim, ag_tensor** out,
                          int64_t* count);
/* A dim as several, whose product it is; one size may be -1. */
AG_API ag_tensor* ag_unflatten(const ag_tensor* x, int64_t dim, const int64_t* sizes, int64_t ndim);
/* Dim source[i] goes to place destination[i]; the others keep their order. */
AG_API ag_tensor* ag_movedim(const ag_tensor* x, const int64_t* source, int64_t n_source,
                             const int64_t* destination, int64_t n_destination);
/* The view of `length` positions from start on. */
AG_API ag_tensor* ag_narrow(const ag_tensor* x, int64_t dim, int64_t start, int64_t length);
/* x[..., i, i + offset, ...] with i as the last dim; a view. */
AG_API ag_tensor* ag_diagonal(const ag_tensor* x, int64_t offset, int64_t dim1, int64_t dim2);
/* Windows of `size` positions, `step` apart, along dim: a view with their insides as a last dim. */
AG_API ag_tensor* ag_unfold(const ag_tensor* x, int64_t dim, int64_t size, int64_t step);
/* The storage of x read with any sizes and strides from its element storage_offset on, or, -1, from
 * where x begins; a view. */
AG_API ag_tensor* ag_as_strided(const ag_tensor* x, const int64_t* sizes, int64_t n,
                                const int64_t* strides, int64_t n_strides, int64_t storage_offset);
/* The bytes of x read as another dtype; the last dim counts fewer or more elements of other sizes.
 */
AG_API ag_tensor* ag_view_dtype(const ag_tensor* x, ag_dtype dtype);
/* The views at the n positions of a dim of size n, written to out[n]. */
AG_API ag_status ag_unbind(const ag_tensor* x, int64_t dim, int64_t n, ag_tensor** out);
/* The n + 1 views along dim between 0, the n indices, and the end, written to out[n + 1]. */
AG_API ag_status ag_tensor_split(const ag_tensor* x, const int64_t* indices, int64_t n, int64_t dim,
                                 ag_tensor** out);
/* Views with dims of size 1 added: in front, and at the end for the third one. */
AG_API ag_tensor* ag_atleast_1d(const ag_tensor* x);
AG_API ag_tensor* ag_atleast_2d(const ag_tensor* x);
AG_API ag_tensor* ag_atleast_3d(const ag_tensor* x);
/* n views of the shape that all broadcast to, written to out[n]. */
AG_API ag_status ag_broadcast_tensors(const ag_tensor* const* tensors, int64_t n, ag_tensor** out);
/* n vectors as views over the grid of all their combinations, written to out[n]; xy: the first two
 * dims are exchanged. */
AG_API ag_status ag_meshgrid(const ag_tensor* const* tensors, int64_t n, ag_bool xy,
                             ag_tensor** out);
/* Joined along dim 1 (vectors: 0), dim 0 (vectors as rows), dim 2, and dim 1 (vectors as columns).
 */
AG_API ag_tensor* ag_hstack(const ag_tensor* const* tensors, int64_t n);
AG_API ag_tensor* ag_vstack(const ag_tensor* const* tensors, int64_t n);
AG_API ag_tensor* ag_dstack(const ag_tensor* const* tensors, int64_t n);
AG_API ag_tensor* ag_column_stack(const ag_tensor* const* tensors, int64_t n);
/* The matrices (vectors: rows) along the diagonal of a matrix of zeros. */
AG_API ag_tensor* ag_block_diag(const ag_tensor* const* tensors, int64_t n);
/* Rows of all combinations of the vectors' elements; those of the last one change fastest. */
AG_API ag_tensor* ag_cartesian_prod(const ag_tensor* const* tensors, int64_t n);
/* Rows of r elements of a vector, in its order. */
AG_API ag_tensor* ag_combinations(const ag_tensor* x, int64_t r, ag_bool with_replacement);
/* A copy with the order along dims reversed; count 0 reverses none. */
AG_API ag_tensor* ag_flip(const ag_tensor* x, const int64_t* dims, int64_t ndims);
AG_API ag_tensor* ag_fliplr(const ag_tensor* x);
AG_API ag_tensor* ag_flipud(const ag_tensor* x);
/* k quarter turns from dims[0] towards dims[1]. */
AG_API ag_tensor* ag_rot90(const ag_tensor* x, int64_t k, const int64_t* dims, int64_t ndims);
/* Elements moved along dims, entering again at the other end; one shift and no dims: of the
 * flattened tensor. */
AG_API ag_tensor* ag_roll(const ag_tensor* x, const int64_t* shifts, int64_t nshifts,
                          const int64_t* dims, int64_t ndims);
/* repeats[d] times along dim d; at least as many repeats as dims. */
AG_API ag_tensor* ag_repeat(const ag_tensor* x, const int64_t* repeats, int64_t n);
/* As repeat; missing repeats, for the first dims, are 1. */
AG_API ag_tensor* ag_tile(const ag_tensor* x, const int64_t* repeats, int64_t n);
/* Each element repeats (0-d) or repeats[i] times in a row, along dims[0] or (ndims 0) of the
 * flattened x. output_size, the resulting size, is checked unless it is negative. */
AG_API ag_tensor* ag_repeat_interleave(const ag_tensor* x, const ag_tensor* repeats,
                                       const int64_t* dims, int64_t ndims, int64_t output_size);
/* x on and below (triu: above) a diagonal of its last two dims, else 0. */
AG_API ag_tensor* ag_tril(const ag_tensor* x, int64_t diagonal);
AG_API ag_tensor* ag_triu(const ag_tensor* x, int64_t diagonal);
/* A vector as a diagonal of a matrix of zeros, or a copy of a matrix's diagonal. */
AG_API ag_tensor* ag_diag(const ag_tensor* x, int64_t offset);
/* The last dim as diagonals over dim1 and dim2 of a tensor of zeros. */
AG_API ag_tensor* ag_diag_embed(const ag_tensor* x, int64_t offset, int64_t dim1, int64_t dim2);
/* The flattened tensor as a diagonal of a matrix of zeros. */
AG_API ag_tensor* ag_diagflat(const ag_tensor* x, int64_t offset);
/* [..., C r r, H, W] to [..., C, H r, W r], and back. */
AG_API ag_tensor* ag_pixel_shuffle(const ag_tensor* x, int64_t factor);
AG_API ag_tensor* ag_pixel_unshuffle(const ag_tensor* x, int64_t factor);
/* x [N, C, ...] with its channels in another order: the first of each group, the second of each and
 * so on. AG_ERROR_RUNTIME unless there are more than 2 dims and groups divides C. */
AG_API ag_tensor* ag_channel_shuffle(const ag_tensor* x, int64_t groups);
/* n pads, in pairs (before, after) from the last dim on; negative ones cut off. `value` fills if
 * the mode is constant. The other modes pad the last 1 to 3 dims of [N, C, ...] or [C, ...]. */
AG_API ag_tensor* ag_pad(const ag_tensor* x, const int64_t* pads, int64_t n, ag_pad_mode mode,
                         double value);
/* [N, C, ...] with other sizes of its 1 to 3 spatial dims. scales, NULL or n of them, say how far
 * output positions lie apart; 0 stands for the quotient of the sizes. */
AG_API ag_tensor* ag_interpolate(const ag_tensor* x, const int64_t* sizes, int64_t n,
                                 const double* scales, ag_interpolation mode);
/* Images [N, C, H, W] or volumes [N, C, D, H, W] read at the points of grid, [N, h, w, 2] or
 * [N, d, h, w, 3]: coordinates from -1 to 1, the last dim's first. Cubic: images only. */
AG_API ag_tensor* ag_grid_sample(const ag_tensor* x, const ag_tensor* grid, ag_sample_mode mode,
                                 ag_sample_padding padding_mode, ag_bool align_corners);
/* The grid that affine maps theta, [N, 2, 3] or [N, 3, 4], make of the points of images of sizes.
 */
AG_API ag_tensor* ag_affine_grid(const ag_tensor* theta, const int64_t* sizes, int64_t n,
                                 ag_bool align_corners);
/* t itself if it is contiguous, else a row-major copy. */
AG_API ag_tensor* ag_contiguous(const ag_tensor* x);
/* A copy with gradient. */
AG_API ag_tensor* ag_clone(const ag_tensor* x);
/* Shares the storage, has no history. */
AG_API ag_tensor* ag_detach(const ag_tensor* x);

/* ---- indexing ---- */

/* Basic indexing in one call: n items of 4 numbers each, {ag_index_kind, a, b, c}. A view. */
AG_API ag_tensor* ag_index(const ag_tensor* x, const int64_t* items, int64_t n);
/* The same with tensors among the items: a copy. The tensors are broadcast together; their dims
 * stand where the indexed dims stood if these are neighbours, else first. */
AG_API ag_tensor* ag_index_tensors(const ag_tensor* x, const int64_t* items, int64_t n,
                                   const ag_tensor* const* tensors, int64_t n_tensors);
/* Writes value, broadcast, to the part of self that ag_index_tensors reads; converted where no
 * tensor chooses or value is a number. */
AG_API ag_status ag_index_assign_(ag_tensor* self, const int64_t* items, int64_t n,
                                  const ag_tensor* const* tensors, int64_t n_tensors,
                                  const ag_tensor* value);
/* x[indices] = values, or +=, with a tensor of positions or a mask for each leading dim. */
AG_API ag_tensor* ag_index_put(const ag_tensor* x, const ag_tensor* const* indices, int64_t n,
                               const ag_tensor* values, ag_bool accumulate);
AG_API ag_status ag_index_put_(ag_tensor* self, const ag_tensor* const* indices, int64_t n,
                               const ag_tensor* values, ag_bool accumulate);
/* Rows (slices along dim) number index[i] (int32 or int64, 0-d or 1-d); a copy with gradient. */
AG_API ag_tensor* ag_index_select(const ag_tensor* x, int64_t dim, const ag_tensor* index);
/* Adds alpha (one element) times slice i of source to slice index[i] of x. */
AG_API ag_tensor* ag_index_add(const ag_tensor* x, int64_t dim, const ag_tensor* index,
                               const ag_tensor* source, const ag_tensor* alpha);
AG_API ag_status ag_index_add_(ag_tensor* self, int64_t dim, const ag_tensor* index,
                               const ag_tensor* source, const ag_tensor* alpha);
/* Slice i of source, or value (0-d), in the place of slice index[i] of x. */
AG_API ag_tensor* ag_index_copy(const ag_tensor* x, int64_t dim, const ag_tensor* index,
                                const ag_tensor* source);
AG_API ag_status ag_index_copy_(ag_tensor* self, int64_t dim, const ag_tensor* index,
                                const ag_tensor* source);
/* Slice index[i] of x and slice i of source put together (not AG_SCATTER_SUM); include_self: the
 * slice of x takes part. */
AG_API ag_tensor* ag_index_reduce(const ag_tensor* x, int64_t dim, const ag_tensor* index,
                                  const ag_tensor* source, ag_scatter_reduction reduce,
                                  ag_bool include_self);
AG_API ag_status ag_index_reduce_(ag_tensor* self, int64_t dim, const ag_tensor* index,
                                  const ag_tensor* source, ag_scatter_reduction reduce,
                                  ag_bool include_self);
/* A copy of x with src, of the sizes of the part, in the place of what ag_select, ag_slice or
 * ag_diagonal gives. */
AG_API ag_tensor* ag_select_scatter(const ag_tensor* x, const ag_tensor* src, int64_t dim,
                                    int64_t index);
AG_API ag_tensor* ag_slice_scatter(const ag_tensor* x, const ag_tensor* src, int64_t dim,
                                   int64_t start, int64_t end, int64_t step);
AG_API ag_tensor* ag_diagonal_scatter(const ag_tensor* x, const ag_tensor* src, int64_t offset,
                                      int64_t dim1, int64_t dim2);
AG_API ag_tensor* ag_index_fill(const ag_tensor* x, int64_t dim, const ag_tensor* index,
                                const ag_tensor* value);
AG_API ag_status ag_index_fill_(ag_tensor* self, int64_t dim, const ag_tensor* index,
                                const ag_tensor* value);
/* Elements of x, seen as one row, at positions of any sizes. */
AG_API ag_tensor* ag_take(const ag_tensor* x, const ag_tensor* index);
/* Writes, or adds, the elements of source at those positions. */
AG_API ag_tensor* ag_put(const ag_tensor* x, const ag_tensor* index, const ag_tensor* source,
                         ag_bool accumulate);
AG_API ag_status ag_put_(ag_tensor* self, const ag_tensor* index, const ag_tensor* source,
                         ag_bool accumulate);
/* [count, rank] coordinates of the elements that are not 0, int64. */
AG_API ag_tensor* ag_nonzero(const ag_tensor* x);
/* value (0-d) where mask (bool, broadcast) is true, else x. */
AG_API ag_tensor* ag_masked_fill(const ag_tensor* x, const ag_tensor* mask, const ag_tensor* value);
AG_API ag_status ag_masked_fill_(ag_tensor* self, const ag_tensor* mask, const ag_tensor* value);
/* The elements where mask is true, as one row. */
AG_API ag_tensor* ag_masked_select(const ag_tensor* x, const ag_tensor* mask);
/* The elements of source, in order, where mask is true, else x. */
AG_API ag_tensor* ag_masked_scatter(const ag_tensor* x, const ag_tensor* mask,
                                    const ag_tensor* source);
AG_API ag_status ag_masked_scatter_(ag_tensor* self, const ag_tensor* mask,
                                    const ag_tensor* source);
/* out[i][j] = x[index[i][j]][j] for dim 0, likewise for others. */
AG_API ag_tensor* ag_gather(const ag_tensor* x, int64_t dim, const ag_tensor* index);
/* gather with the other dims broadcast; over x as one row without a dim. */
AG_API ag_tensor* ag_take_along_dim(const ag_tensor* x, const ag_tensor* indices,
                                    const int64_t* dims, int64_t ndims);
/* x with x[index[i][j]][j] = src[i][j] for dim 0, likewise for others; src may be a number. */
AG_API ag_tensor* ag_scatter(const ag_tensor* x, int64_t dim, const ag_tensor* index,
                             const ag_tensor* src);
AG_API ag_status ag_scatter_(ag_tensor* self, int64_t dim, const ag_tensor* index,
                             const ag_tensor* src);
AG_API ag_tensor* ag_scatter_add(const ag_tensor* x, int64_t dim, const ag_tensor* index,
                                 const ag_tensor* src);
AG_API ag_status ag_scatter_add_(ag_tensor* self, int64_t dim, const ag_tensor* index,
                                 const ag_tensor* src);
/* The same with a reduction; include_self: the element of x takes part. */
AG_API ag_tensor* ag_scatter_reduce(const ag_tensor* x, int64_t dim, const ag_tensor* index,
                                    const ag_tensor* src, ag_scatter_reduction reduce,
                                    ag_bool include_self);
AG_API ag_status ag_scatter_reduce_(ag_tensor* self, int64_t dim, const ag_tensor* index,
                                    const ag_tensor* src, ag_scatter_reduction reduce,
                                    ag_bool include_self);
/* Rows of weight by number; row padding_idx, if not negative, gets no gradient. */
AG_API ag_tensor* ag_embedding(const ag_tensor* weight, const ag_tensor* index, int64_t padding_idx,
                               ag_bool scale_grad_by_freq);
/* The sum, mean or maximum of the rows of weight that each bag of numbers picks; 0 for an empty
 * bag. Bags are the rows of a 2-d index (offsets NULL), or begin at offsets in a 1-d one.
 * per_sample_weights (or NULL) multiplies the rows of sums; numbers equal to padding_idx, if not
 * negative, are left out.
 */
AG_API ag_tensor* ag_embedding_bag(const ag_tensor* weight, const ag_tensor* index,
                                   const ag_tensor* offsets, ag_bag_mode mode,
                                   const ag_tensor* per_sample_weights, int64_t padding_idx,
                                   ag_bool scale_grad_by_freq, ag_bool include_last_offset);
/* Scales the rows that index names down to a norm of max_norm. */
AG_API ag_status ag_embedding_renorm_(ag_tensor* weight, const ag_tensor* index, double max_norm,
                                      double norm_type);
/* [..., num_classes], 1 at the class; num_classes -1: one more than the largest class. */
AG_API ag_tensor* ag_one_hot(const ag_tensor* index, int64_t num_classes);

/* ---- sorting ---- */

/* Elements in order along dim, NaN last, and their positions before (int64). */
AG_API ag_status ag_sort(const ag_tensor* x, int64_t dim, ag_bool descending, ag_tensor** values,
                         ag_tensor** indices);
AG_API ag_tensor* ag_argsort(const ag_tensor* x, int64_t dim, ag_bool descending);
/* The k largest, or smallest, in order. */
AG_API ag_status ag_topk(const ag_tensor* x, int64_t k, int64_t dim, ag_bool largest,
                         ag_tensor** values, ag_tensor** indices);
/* The k-th smallest, k from 1. */
AG_API ag_status ag_kthvalue(const ag_tensor* x, int64_t k, int64_t dim, ag_bool keepdim,
                             ag_tensor** values, ag_tensor** indices);
/* Different elements, or slices along dims[0], in order; inverse and counts may be NULL. */
AG_API ag_status ag_unique(const ag_tensor* x, const int64_t* dims, int64_t ndims,
                           ag_tensor** values, ag_tensor** inverse, ag_tensor** counts);
/* One for every run of equal ones. */
AG_API ag_status ag_unique_consecutive(const ag_tensor* x, const int64_t* dims, int64_t ndims,
                                       ag_tensor** values, ag_tensor** inverse, ag_tensor** counts);
/* Places of values in the ascending last dim of sorted, behind equal elements if right; sorter, the
 * order in which it is ascending, may be NULL. int64. */
AG_API ag_tensor* ag_searchsorted(const ag_tensor* sorted, const ag_tensor* values, ag_bool right,
                                  const ag_tensor* sorter);
/* How many elements of x (floats) lie in each of `bins` equal parts of [low, high]; low = high: of
 * the range of the elements. No gradient. */
AG_API ag_tensor* ag_histc(const ag_tensor* x, int64_t bins, double low, double high);
/* How many elements of x (floats), or what sum of their weights (NULL: 1), lie between each two of
 * the ascending edges; density: divided by the sum and by the widths. No gradient. */
AG_API ag_tensor* ag_histogram(const ag_tensor* x, const ag_tensor* edges, const ag_tensor* weight,
                               ag_bool density);
/* True for elements that are among test_elements, or, if invert, are not. */
AG_API ag_tensor* ag_isin(const ag_tensor* elements, const ag_tensor* test_elements,
                          ag_bool invert);

/* ---- softmax and losses ---- */

AG_API ag_tensor* ag_softmax(const ag_tensor* x, int64_t dim);
AG_API ag_tensor* ag_log_softmax(const ag_tensor* x, int64_t dim);
/* Softmax cross entropy of logits [N, C], [C] or [N, C, d1, ...] with targets of class indices
 * (int64 or uint8, the logits' shape without C) or of probabilities (the logits' shape). Stable for
 * any logits. weight [C] may be NULL. Targets equal to ignore_index count for nothing. */
AG_API ag_tensor* ag_cross_entropy(const ag_tensor* logits, const ag_tensor* target,
                                   const ag_tensor* weight, ag_reduction reduction,
                                   int64_t ignore_index, double label_smoothing);
/* -weight[t] x[t] of log probabilities, for class indices as above. */
AG_API ag_tensor* ag_nll_loss(const ag_tensor* input, const ag_tensor* target,
                              const ag_tensor* weight, ag_reduction reduction,
                              int64_t ignore_index);
/* Sum over the other classes j of max(0, margin - x[t] + x[j])^p weight[t] / C. */
AG_API ag_tensor* ag_multi_margin_loss(const ag_tensor* input, const ag_tensor* target, int64_t p,
                                       double margin, const ag_tensor* weight,
                                       ag_reduction reduction);
/* Sum of max(0, 1 - x[t] + x[j]) / C over a row's own classes t, those in target (int64, as large
 * as input: [N, C] or one row) before the first -1, and all others j. First-order gradients. */
AG_API ag_tensor* ag_multilabel_margin_loss(const ag_tensor* input, const ag_tensor* target,
                                            ag_reduction reduction);
/* Mean over classes (the last dim) of the binary cross entropies of logits; weight may be NULL. */
AG_API ag_tensor* ag_multilabel_soft_margin_loss(const ag_tensor* input, const ag_tensor* target,
                                                 const ag_tensor* weight, ag_reduction reduction);
/* -log of the probability that targets are what is left of sequences without repetitions and
 * blanks. log_probs [T, N, C] or [T, C], as of log_softmax; targets [N, S] or in a row; lengths
 * [N]. The mean is one of loss / length. First-order gradients. */
AG_API ag_tensor* ag_ctc_loss(const ag_tensor* log_probs, const ag_tensor* targets,
                              const ag_tensor* input_lengths, const ag_tensor* target_lengths,
                              int64_t blank, ag_reduction reduction, ag_bool zero_infinity);
/* (x - t)^2, reduced. Losses of pairs broadcast. */
AG_API ag_tensor* ag_mse_loss(const ag_tensor* input, const ag_tensor* target,
                              ag_reduction reduction);
/* |x - t|, reduced. */
AG_API ag_tensor* ag_l1_loss(const ag_tensor* input, const ag_tensor* target,
                             ag_reduction reduction);
/* (x - t)^2 / (2 beta) where |x - t| < beta, else |x - t| - beta / 2. */
AG_API ag_tensor* ag_smooth_l1_loss(const ag_tensor* input, const ag_tensor* target,
                                    ag_reduction reduction, double beta);
/* (x - t)^2 / 2 where |x - t| <= delta, else delta (|x - t| - delta / 2). */
AG_API ag_tensor* ag_huber_loss(const ag_tensor* input, const ag_tensor* target,
                                ag_reduction reduction, double delta);
/* log(1 + exp(-t x)). */
AG_API ag_tensor* ag_soft_margin_loss(const ag_tensor* input, const ag_tensor* target,
                                      ag_reduction reduction);
/* t (log t - x), or, log_target, exp(t) (t - x). */
AG_API ag_tensor* ag_kl_div(const ag_tensor* input, const ag_tensor* target, ag_reduction reduction,
                            ag_bool log_target);
/* -t log x - (1 - t) log(1 - x), times weight, which may be NULL. */
AG_API ag_tensor* ag_binary_cross_entropy(const ag_tensor* input, const ag_tensor* target,
                                          const ag_tensor* weight, ag_reduction reduction);
/* The same of sigmoid(x); pos_weight, which may be NULL, multiplies the first term. */
AG_API ag_tensor* ag_binary_cross_entropy_with_logits(const ag_tensor* input,
                                                      const ag_tensor* target,
                                                      const ag_tensor* weight,
                                                      const ag_tensor* pos_weight,
                                                      ag_reduction reduction);
/* exp(x) - t x, or, log_input 0, x - t log(x + eps). */
AG_API ag_tensor* ag_poisson_nll_loss(const ag_tensor* input, const ag_tensor* target,
                                      ag_bool log_input, ag_bool full, double eps,
                                      ag_reduction reduction);
/* (log v + (x - t)^2 / v) / 2, v = max(var, eps). */
AG_API ag_tensor* ag_gaussian_nll_loss(const ag_tensor* input, const ag_tensor* target,
                                       const ag_tensor* var, ag_bool full, double eps,
                                       ag_reduction reduction);
/* x / max(|x|_p, eps) along dim. */
AG_API ag_tensor* ag_normalize(const ag_tensor* input, double p, int64_t dim, double eps);
/* Cosine of the angle between x1 and x2 along dim; lengths count as at least eps. */
AG_API ag_tensor* ag_cosine_similarity(const ag_tensor* x1, const ag_tensor* x2, int64_t dim,
                                       double eps);
/* |x1 - x2 + eps|_p along the last dim. */
AG_API ag_tensor* ag_pairwise_distance(const ag_tensor* x1, const ag_tensor* x2, double p,
                                       double eps, ag_bool keepdim);
/* |x1[..., i, :] - x2[..., j, :]|_p for all i and j: [..., P, M] and [..., R, M] to [..., P, R]; p
 * >= 0. */
AG_API ag_tensor* ag_cdist(const ag_tensor* x1, const ag_tensor* x2, double p);
/* |input[i, :] - input[j, :]|_p for all i < j, row after row: [N, M] to [N (N - 1) / 2]; p >= 0. */
AG_API ag_tensor* ag_pdist(const ag_tensor* input, double p);
/* 1 - cos(input1, input2) where t is 1, max(0, cos(input1, input2) - margin) where it is -1. */
AG_API ag_tensor* ag_cosine_embedding_loss(const ag_tensor* input1, const ag_tensor* input2,
                                           const ag_tensor* target, double margin,
                                           ag_reduction reduction);
/* max(0, -t (input1 - input2) + margin). */
AG_API ag_tensor* ag_margin_ranking_loss(const ag_tensor* input1, const ag_tensor* input2,
                                         const ag_tensor* target, double margin,
                                         ag_reduction reduction);
/* x where t is 1, max(0, margin - x) where it is -1. */
AG_API ag_tensor* ag_hinge_embedding_loss(const ag_tensor* input, const ag_tensor* target,
                                          double margin, ag_reduction reduction);
/* max(0, d(anchor, positive) - d(anchor, negative) + margin), d being pairwise_distance. */
AG_API ag_tensor* ag_triplet_margin_loss(const ag_tensor* anchor, const ag_tensor* positive,
                                         const ag_tensor* negative, double margin, double p,
                                         double eps, ag_bool swap, ag_reduction reduction);

/* ---- convolution and pooling ---- */

/* Lists of spatial numbers have one entry for all dims or one per dim.
 *
 * input [N, C, spatial...] or [C, spatial...], weight [O, C / groups, kernel...], bias [O] or
 * NULL; output sizes (in + 2 padding - dilation (kernel - 1) - 1) / stride + 1. n_padding -1 means
 * the padding that keeps the sizes; it needs stride 1. */
AG_API ag_tensor* ag_conv1d(const ag_tensor* input, const ag_tensor* weight, const ag_tensor* bias,
                            const int64_t* stride, int64_t n_stride, const int64_t* padding,
                            int64_t n_padding, const int64_t* dilation, int64_t n_dilation,
                            int64_t groups);
/* As conv1d over two dims. */
AG_API ag_tensor* ag_conv2d(const ag_tensor* input, const ag_tensor* weight, const ag_tensor* bias,
                            const int64_t* stride, int64_t n_stride, const int64_t* padding,
                            int64_t n_padding, const int64_t* dilation, int64_t n_dilation,
                            int64_t groups);
/* As conv1d over three dims. */
AG_API ag_tensor* ag_conv3d(const ag_tensor* input, const ag_tensor* weight, const ag_tensor* bias,
                            const int64_t* stride, int64_t n_stride, const int64_t* padding,
                            int64_t n_padding, const int64_t* dilation, int64_t n_dilation,
                            int64_t groups);
/* The transposed map of a convolution: weight [C, O / groups, kernel...], output sizes
 * (in - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1. */
AG_API ag_tensor* ag_conv_transpose1d(const ag_tensor* input, const ag_tensor* weight,
                                      const ag_tensor* bias, const int64_t* stride,
                                      int64_t n_stride, const int64_t* padding, int64_t n_padding,
                                      const int64_t* output_padding, int64_t n_output_padding,
                                      int64_t groups, const int64_t* dilation, int64_t n_dilation);
/* As conv_transpose1d over two dims. */
AG_API ag_tensor* ag_conv_transpose2d(const ag_tensor* input, const ag_tensor* weight,
                                      const ag_tensor* bias, const int64_t* stride,
                                      int64_t n_stride, const int64_t* padding, int64_t n_padding,
                                      const int64_t* output_padding, int64_t n_output_padding,
                                      int64_t groups, const int64_t* dilation, int64_t n_dilation);
/* As conv_transpose1d over three dims. */
AG_API ag_tensor* ag_conv_transpose3d(const ag_tensor* input, const ag_tensor* weight,
                                      const ag_tensor* bias, const int64_t* stride,
                                      int64_t n_stride, const int64_t* padding, int64_t n_padding,
                                      const int64_t* output_padding, int64_t n_output_padding,
                                      int64_t groups, const int64_t* dilation, int64_t n_dilation);

/* Pooling over windows of one spatial dim of [N, C, spatial] or [C, spatial]. n_stride 0 means the
 * kernel's size. The maximum of each window; padding never wins, NaN does. */
AG_API ag_tensor* ag_max_pool1d(const ag_tensor* input, const int64_t* kernel, int64_t n_kernel,
                                const int64_t* stride, int64_t n_stride, const int64_t* padding,
                                int64_t n_padding, const int64_t* dilation, int64_t n_dilation,
                                ag_bool ceil_mode);
/* And its int64 position in the flattened spatial dims. */
AG_API ag_status ag_max_pool1d_with_indices(const ag_tensor* input, const int64_t* kernel,
                                            int64_t n_kernel, const int64_t* stride,
                                            int64_t n_stride, const int64_t* padding,
                                            int64_t n_padding, const int64_t* dilation,
                                            int64_t n_dilation, ag_bool ceil_mode,
                                            ag_tensor** values, ag_tensor** indices);
/* The sum of each window over *divisor_override or, if that is NULL, over its number of elements,
 * padding counted or not. */
AG_API ag_tensor* ag_avg_pool1d(const ag_tensor* input, const int64_t* kernel, int64_t n_kernel,
                                const int64_t* stride, int64_t n_stride, const int64_t* padding,
                                int64_t n_padding, ag_bool ceil_mode, ag_bool count_include_pad,
                                const int64_t* divisor_override);
/* The mean of windows i in / out to (i + 1) in / out, rounded down and up. */
AG_API ag_tensor* ag_adaptive_avg_pool1d(const ag_tensor* input, const int64_t* output_size,
                                         int64_t n_output_size);
/* The maximum of the same windows. */
AG_API ag_tensor* ag_adaptive_max_pool1d(const ag_tensor* input, const int64_t* output_size,
                                         int64_t n_output_size);
AG_API ag_status ag_adaptive_max_pool1d_with_indices(const ag_tensor* input,
                                                     const int64_t* output_size,
                                                     int64_t n_output_size, ag_tensor** values,
                                                     ag_tensor** indices);
/* As max_pool1d over two dims. */
AG_API ag_tensor* ag_max_pool2d(const ag_tensor* input, const int64_t* kernel, int64_t n_kernel,
                                const int64_t* stride, int64_t n_stride, const int64_t* padding,
                                int64_t n_padding, const int64_t* dilation, int64_t n_dilation,
                                ag_bool ceil_mode);
/* And its int64 position in the flattened spatial dims. */
AG_API ag_status ag_max_pool2d_with_indices(const ag_tensor* input, const int64_t* kernel,
                                            int64_t n_kernel, const int64_t* stride,
                                            int64_t n_stride, const int64_t* padding,
                                            int64_t n_padding, const int64_t* dilation,
                                            int64_t n_dilation, ag_bool ceil_mode,
                                            ag_tensor** values, ag_tensor** indices);
/* The sum of each window over *divisor_override or, if that is NULL, over its number of elements,
 * padding counted or not. */
AG_API ag_tensor* ag_avg_pool2d(const ag_tensor* input, const int64_t* kernel, int64_t n_kernel,
                                const int64_t* stride, int64_t n_stride, const int64_t* padding,
                                int64_t n_padding, ag_bool ceil_mode, ag_bool count_include_pad,
                                const int64_t* divisor_override);
/* The mean of windows i in / out to (i + 1) in / out, rounded down and up. */
AG_API ag_tensor* ag_adaptive_avg_pool2d(const ag_tensor* input, const int64_t* output_size,
                                         int64_t n_output_size);
/* The maximum of the same windows. */
AG_API ag_tensor* ag_adaptive_max_pool2d(const ag_tensor* input, const int64_t* output_size,
                                         int64_t n_output_size);
AG_API ag_status ag_adaptive_max_pool2d_with_indices(const ag_tensor* input,
                                                     const int64_t* output_size,
                                                     int64_t n_output_size, ag_tensor** values,
                                                     ag_tensor** indices);
/* As max_pool1d over three dims. */
AG_API ag_tensor* ag_max_pool3d(const ag_tensor* input, const int64_t* kernel, int64_t n_kernel,
                                const int64_t* stride, int64_t n_stride, const int64_t* padding,
                                int64_t n_padding, const int64_t* dilation, int64_t n_dilation,
                                ag_bool ceil_mode);
/* And its int64 position in the flattened spatial dims. */
AG_API ag_status ag_max_pool3d_with_indices(const ag_tensor* input, const int64_t* kernel,
                                            int64_t n_kernel, const int64_t* stride,
                                            int64_t n_stride, const int64_t* padding,
                                            int64_t n_padding, const int64_t* dilation,
                                            int64_t n_dilation, ag_bool ceil_mode,
                                            ag_tensor** values, ag_tensor** indices);
/* The sum of each window over *divisor_override or, if that is NULL, over its number of elements,
 * padding counted or not. */
AG_API ag_tensor* ag_avg_pool3d(const ag_tensor* input, const int64_t* kernel, int64_t n_kernel,
                                const int64_t* stride, int64_t n_stride, const int64_t* padding,
                                int64_t n_padding, ag_bool ceil_mode, ag_bool count_include_pad,
                                const int64_t* divisor_override);
/* The mean of windows i in / out to (i + 1) in / out, rounded down and up. */
AG_API ag_tensor* ag_adaptive_avg_pool3d(const ag_tensor* input, const int64_t* output_size,
                                         int64_t n_output_size);
/* The maximum of the same windows. */
AG_API ag_tensor* ag_adaptive_max_pool3d(const ag_tensor* input, const int64_t* output_size,
                                         int64_t n_output_size);
AG_API ag_status ag_adaptive_max_pool3d_with_indices(const ag_tensor* input,
                                                     const int64_t* output_size,
                                                     int64_t n_output_size, ag_tensor** values,
                                                     ag_tensor** indices);
/* The windows of images [N, C, H, W] or [C, H, W] as columns [N, C kernel, windows]. */
AG_API ag_tensor* ag_im2col(const ag_tensor* input, const int64_t* kernel, int64_t n_kernel,
                            const int64_t* dilation, int64_t n_dilation, const int64_t* padding,
                            int64_t n_padding, const int64_t* stride, int64_t n_stride);
/* The transposed map: adds columns up to images [N, C, output_size]. */
AG_API ag_tensor* ag_col2im(const ag_tensor* input, const int64_t* output_size,
                            int64_t n_output_size, const int64_t* kernel, int64_t n_kernel,
                            const int64_t* dilation, int64_t n_dilation, const int64_t* padding,
                            int64_t n_padding, const int64_t* stride, int64_t n_stride);

/* ---- normalization and dropout ---- */

/* Weights, biases and running statistics may be NULL, but for what is said below. */

/* (x - mean) / sqrt(var + eps) * weight + bias over the last dims, whose sizes are
 * normalized_shape. */
AG_API ag_tensor* ag_layer_norm(const ag_tensor* x, const int64_t* normalized_shape, int64_t ndims,
                                const ag_tensor* weight, const ag_tensor* bias, double eps);
/* x / sqrt(mean x^2 + eps) * weight over the last dims; eps NaN: the dtype's machine epsilon. */
AG_API ag_tensor* ag_rms_norm(const ag_tensor* x, const int64_t* normalized_shape, int64_t ndims,
                              const ag_tensor* weight, double eps);
/* x [N, C, ...]: each group of channels of each sample is normalized; weight and bias [C]. */
AG_API ag_tensor* ag_group_norm(const ag_tensor* x, int64_t num_groups, const ag_tensor* weight,
                                const ag_tensor* bias, double eps);
/* x [N, C, ...]: each channel is normalized. If training, its own statistics are used and the
 * running ones become (1 - momentum) running + momentum own; else the running ones are used and
 * must be given. */
AG_API ag_tensor* ag_batch_norm(const ag_tensor* x, ag_tensor* running_mean, ag_tensor* running_var,
                                const ag_tensor* weight, const ag_tensor* bias, ag_bool training,
                                double momentum, double eps);
/* x [N, C, ...]: each channel of each sample is normalized, otherwise as batch norm. */
AG_API ag_tensor* ag_instance_norm(const ag_tensor* x, ag_tensor* running_mean,
                                   ag_tensor* running_var, const ag_tensor* weight,
                                   const ag_tensor* bias, ag_bool use_input_stats, double momentum,
                                   double eps);
/* Zeros elements with probability p and multiplies the others by 1 / (1 - p); x itself if not
 * training. */
AG_API ag_tensor* ag_dropout(const ag_tensor* x, double p, ag_bool training);
/* The same for whole channels of x [N, C, ...]. */
AG_API ag_tensor* ag_feature_dropout(const ag_tensor* x, double p, ag_bool training);
/* Dropout that keeps mean 0 and variance 1 behind a SELU. */
AG_API ag_tensor* ag_alpha_dropout(const ag_tensor* x, double p, ag_bool training);
/* The same for whole channels of x [N, C, ...]. */
AG_API ag_tensor* ag_feature_alpha_dropout(const ag_tensor* x, double p, ag_bool training);

/* ---- attention and recurrence ---- */

/* softmax(query key^T * scale + mask) value, for query [..., L, E], key [..., S, E], value
 * [..., S, Ev] with leading dims that broadcast. mask (may be NULL) broadcasts to [..., L, S]:
 * bool, 0 hides a key, or of query's dtype and added. A scale of NaN means 1 / sqrt(E). enable_gqa:
 * heads (dim -3) of query share those of key and value. */
AG_API ag_tensor* ag_scaled_dot_product_attention(const ag_tensor* query, const ag_tensor* key,
                                                  const ag_tensor* value, const ag_tensor* mask,
                                                  double dropout_p, ag_bool is_causal, double scale,
                                                  ag_bool enable_gqa);
/* Recurrent layers over a sequence. input [L, N, in] ([N, L, in] if batch_first); h0, c0
 * [num_layers * directions, N, H] or NULL for zeros. params: per layer and direction w_ih [gates *
 * H, in], w_hh [gates * H, H], and if has_biases b_ih, b_hh [gates * H]; an LSTM may add w_hr [P,
 * H], which makes outputs and h0 P wide. dropout applies between layers if train. output is as
 * input with directions * H features, h_n and c_n as h0 and c0. */
AG_API ag_status ag_lstm(const ag_tensor* input, const ag_tensor* h0, const ag_tensor* c0,
                         const ag_tensor* const* params, int64_t n_params, ag_bool has_biases,
                         int64_t num_layers, double dropout, ag_bool train, ag_bool bidirectional,
                         ag_bool batch_first, ag_tensor** output, ag_tensor** h_n, ag_tensor** c_n);
AG_API ag_status ag_gru(const ag_tensor* input, const ag_tensor* h0, const ag_tensor* const* params,
                        int64_t n_params, ag_bool has_biases, int64_t num_layers, double dropout,
                        ag_bool train, ag_bool bidirectional, ag_bool batch_first,
                        ag_tensor** output, ag_tensor** h_n);
AG_API ag_status ag_rnn_tanh(const ag_tensor* input, const ag_tensor* h0,
                             const ag_tensor* const* params, int64_t n_params, ag_bool has_biases,
                             int64_t num_layers, double dropout, ag_bool train,
                             ag_bool bidirectional, ag_bool batch_first, ag_tensor** output,
                             ag_tensor** h_n);
AG_API ag_status ag_rnn_relu(const ag_tensor* input, const ag_tensor* h0,
                             const ag_tensor* const* params, int64_t n_params, ag_bool has_biases,
                             int64_t num_layers, double dropout, ag_bool train,
                             ag_bool bidirectional, ag_bool batch_first, ag_tensor** output,
                             ag_tensor** h_n);
/* One step of an LSTM: input [N, in] or [in]; h and c [N, H] or [H], or NULL for zeros; b_ih and
 * b_hh may be NULL. */
AG_API ag_status ag_lstm_cell(const ag_tensor* input, const ag_tensor* h, const ag_tensor* c,
                              const ag_tensor* w_ih, const ag_tensor* w_hh, const ag_tensor* b_ih,
                              const ag_tensor* b_hh, ag_tensor** h_out, ag_tensor** c_out);
/* One step, the new state. */
AG_API ag_tensor* ag_gru_cell(const ag_tensor* input, const ag_tensor* h, const ag_tensor* w_ih,
                              const ag_tensor* w_hh, const ag_tensor* b_ih, const ag_tensor* b_hh);
AG_API ag_tensor* ag_rnn_tanh_cell(const ag_tensor* input, const ag_tensor* h,
                                   const ag_tensor* w_ih, const ag_tensor* w_hh,
                                   const ag_tensor* b_ih, const ag_tensor* b_hh);
AG_API ag_tensor* ag_rnn_relu_cell(const ag_tensor* input, const ag_tensor* h,
                                   const ag_tensor* w_ih, const ag_tensor* w_hh,
                                   const ag_tensor* b_ih, const ag_tensor* b_hh);

/* ---- optimizers ---- */

/* The number in a tensor of one element, read as an option of the steps below: captured calls know
 * of options, so that they allow it where they refuse other reads. */
AG_API ag_status ag_optim_number(const ag_tensor* t, double* out);

/* One step of PyTorch's optimizer of that name over n parameters; those without a gradient are
 * passed over. `states` holds the named states as rows of n entries each, one row after the other,
 * owned by the caller; NULL means that there was no step yet: the state is made here. Rows of
 * states that the options do not use are not touched. Numbers such as `step` are 0-d, the other
 * states have their parameter's sizes unless it is said otherwise. Options are used as they are;
 * nothing is changed if a state does not fit. */

/* momentum_buffer; states may be NULL if momentum is 0. */
AG_API ag_status ag_sgd_step(ag_tensor* const* params, ag_tensor** states, int64_t n, double lr,
                             double momentum, double dampening, double weight_decay,
                             int32_t nesterov, int32_t maximize);
/* step, exp_avg, exp_avg_sq, max_exp_avg_sq (if amsgrad). AdamW is this with a decoupled decay. */
AG_API ag_status ag_adam_step(ag_tensor* const* params, ag_tensor** states, int64_t n, double lr,
                              double beta1, double beta2, double eps, double weight_decay,
                              int32_t amsgrad, int32_t maximize, int32_t decoupled_weight_decay);
/* step, exp_avg, exp_inf. */
AG_API ag_status ag_adamax_step(ag_tensor* const* params, ag_tensor** states, int64_t n, double lr,
                                double beta1, double beta2, double eps, double weight_decay,
                                int32_t maximize);
/* step, mu_product, exp_avg, exp_avg_sq. */
AG_API ag_status ag_nadam_step(ag_tensor* const* params, ag_tensor** states, int64_t n, double lr,
                               double beta1, double beta2, double eps, double weight_decay,
                               double momentum_decay, int32_t maximize,
                               int32_t decoupled_weight_decay);
/* step, exp_avg, exp_avg_sq. */
AG_API ag_status ag_radam_step(ag_tensor* const* params, ag_tensor** states, int64_t n, double lr,
                               double beta1, double beta2, double eps, double weight_decay,
                               int32_t maximize, int32_t decoupled_weight_decay);
/* step, square_avg, momentum_buffer (if momentum > 0), grad_avg (if centered). */
AG_API ag_status ag_rmsprop_step(ag_tensor* const* params, ag_tensor** states, int64_t n, double lr,
                                 double alpha, double eps, double weight_decay, double momentum,
                                 int32_t centered, int32_t maximize);
/* step, sum (starts as initial_accumulator_value). */
AG_API ag_status ag_adagrad_step(ag_tensor* const* params, ag_tensor** states, int64_t n, double lr,
                                 double lr_decay, double weight_decay,
                                 double initial_accumulator_value, double eps, int32_t maximize);
/* step, square_avg, acc_delta. */
AG_API ag_status ag_adadelta_step(ag_tensor* const* params, ag_tensor** states, int64_t n,
                                  double lr, double rho, double eps, double weight_decay,
                                  int32_t maximize);
/* step, row_var [..., n, 1] and col_var [..., 1, m] of matrices, variance of vectors. eps1 < 0: the
 * spacing of the parameter's dtype at 1. */
AG_API ag_status ag_adafactor_step(ag_tensor* const* params, ag_tensor** states, int64_t n,
                                   double lr, double beta2_decay, double eps1, double eps2,
                                   double d, double weight_decay, int32_t maximize);
/* momentum_buffer. Parameters are matrices; a, b and c are the coefficients of an iteration. */
AG_API ag_status ag_muon_step(ag_tensor* const* params, ag_tensor** states, int64_t n, double lr,
                              double weight_decay, double momentum, int32_t nesterov, double a,
                              double b, double c, double eps, int64_t ns_steps,
                              ag_muon_scale scale);
/* step, prev, step_size (starts as lr). */
AG_API ag_status ag_rprop_step(ag_tensor* const* params, ag_tensor** states, int64_t n, double lr,
                               double eta_minus, double eta_plus, double step_size_min,
                               double step_size_max, int32_t maximize);
/* step, eta (starts as lr), mu (starts as 1), ax. */
AG_API ag_status ag_asgd_step(ag_tensor* const* params, ag_tensor** states, int64_t n, double lr,
                              double lambd, double alpha, double t0, double weight_decay,
                              int32_t maximize);

/* ---- data ---- */

/* Copies the same rows (along dim 0) of n tensors: out[i] = tensors[i][index[start : start +
 * count]], or rows start to start + count if index is NULL; index is int64, 1-d, contiguous. No
 * gradient. */
AG_API ag_status ag_take_batch(const ag_tensor* const* tensors, int64_t n, const ag_tensor* index,
                               int64_t start, int64_t count, ag_tensor** out);

/* ---- gradient clipping ---- */

/* The norm of the norms of n tensors, 0-d; 0 if n is 0. Runtime error if it is not finite and
 * error_if_nonfinite. */
AG_API ag_tensor* ag_total_norm(ag_tensor* const* tensors, int64_t n, double norm_type,
                                int32_t error_if_nonfinite);
/* Scales the gradients of n parameters by min(1, max_norm / (norm + 1e-6)) and returns their norm
 * before. */
AG_API AG_BLOCKING ag_tensor* ag_clip_grad_norm(ag_tensor* const* params, int64_t n,
                                                double max_norm, double norm_type,
                                                int32_t error_if_nonfinite);
/* The same for a norm that is known; total_norm has one element. */
AG_API AG_BLOCKING ag_status ag_clip_grads_with_norm(ag_tensor* const* params, int64_t n,
                                                     double max_norm, const ag_tensor* total_norm);
/* Limits the elements of the gradients to [-clip_value, clip_value]. */
AG_API AG_BLOCKING ag_status ag_clip_grad_value(ag_tensor* const* params, int64_t n,
                                                double clip_value);

/* ---- graphs ---- */

/* The history of t as a graph. `named` tensors, n in number, get their names; the last n_buffers of
 * them are buffers: what a module keeps that is not a parameter. */
AG_API ag_graph* ag_graph_from_tensor(const ag_tensor* t, const ag_tensor* const* named,
                                      const char* const* names, int64_t n, int64_t n_buffers);
AG_API void ag_graph_free(ag_graph* graph);
/* Number of op nodes; -1 for NULL. */
AG_API int64_t ag_graph_num_ops(const ag_graph* graph);
/* Number of values (leaves and results); -1 for NULL. */
AG_API int64_t ag_graph_num_values(const ag_graph* graph);
/* Canonical DOT text, the same for the same computation; text.
 * direction: edges run 0 down, 1 right, 2 up, 3 left. depth: modules deeper than this are drawn
 * closed, -1 for none. phases: the sum of 1 forward, 2 backward, 4 optimizer; 0 for all. flags: the
 * sum of 1, draw three and more equal modules in a row once, 2, with a legend, and 4, draw a leaf
 * again in each part of the step that reads it. */
AG_API int64_t ag_graph_dot(const ag_graph* graph, int32_t direction, int64_t depth, int32_t phases,
                            int32_t flags, char* buffer, int64_t capacity);
/* The drawing as SVG, with the options of ag_graph_dot; needs nothing installed; text. */
AG_API AG_BLOCKING int64_t ag_graph_svg(const ag_graph* graph, int32_t direction, int64_t depth,
                                        int32_t phases, int32_t flags, char* buffer,
                                        int64_t capacity);
/* One HTML page that needs no network and shows one of n >= 1 graphs at a time, each under its
 * name; with the options of ag_graph_dot; text. */
AG_API AG_BLOCKING int64_t ag_graph_html(const ag_graph* const* graphs, const char* const* names,
                                         int64_t n, const char* title, int32_t direction,
                                         int64_t depth, int32_t phases, int32_t flags, char* buffer,
                                         int64_t capacity);
/* Writes the graph to a file in the format of its suffix: .svg, .html, .dot, .gv, .json, .txt, or
 * .png and .pdf, for which Graphviz's program dot is run; with the options of ag_graph_dot. */
AG_API AG_BLOCKING ag_status ag_graph_save(const ag_graph* graph, const char* path,
                                           int32_t direction, int64_t depth, int32_t phases,
                                           int32_t flags);
/* Fails unless the text of ag_graph_dot is that of a file. A file that does not exist is written
 * instead, and any with `update` or with AUTOGRAD_UPDATE_GRAPHS=1 in the environment. */
AG_API AG_BLOCKING ag_status ag_graph_assert(const ag_graph* graph, const char* golden,
                                             int32_t update, int32_t direction, int64_t depth,
                                             int32_t phases, int32_t flags);
/* Number of nodes: values that were there before, in order of use, then ops; -1 for NULL. */
AG_API int64_t ag_graph_num_nodes(const ag_graph* graph);
/* What is known of a node, as text. what: "key" (as in DOT), "op" ("" for a value), "kind", "name",
 * "shape" and "dtype" (of the first result), "module", "module_type", "phase", "forward", "file",
 * "line", "id", "attrs", "body" (the ops of a fused one), "flops", "bytes_read", "bytes_written",
 * "seconds". */
AG_API int64_t ag_graph_node(const ag_graph* graph, int64_t node, const char* what, char* buffer,
                             int64_t capacity);
/* Number of edges: tensors that ops read, and orders; -1 for NULL. */
AG_API int64_t ag_graph_num_edges(const ag_graph* graph);
/* The nodes that an edge joins, which result of the one it is and which argument of the other; the
 * last two are -1 for an edge that only says what comes first. */
AG_API ag_status ag_graph_edge(const ag_graph* graph, int64_t edge, int64_t* source,
                               int64_t* target, int64_t* output, int64_t* input);
/* The work of all ops: floating-point operations, bytes read and written, the most bytes of results
 * at a time, measured seconds (-1 if not). */
AG_API ag_status ag_graph_cost(const ag_graph* graph, double* flops, double* bytes_read,
                               double* bytes_written, double* peak_bytes, double* seconds);
/* One op a line in static single assignment form; text. */
AG_API int64_t ag_graph_text(const ag_graph* graph, char* buffer, int64_t capacity);
/* One row an op with shapes, costs, module and line, and the totals. */
AG_API int64_t ag_graph_table(const ag_graph* graph, char* buffer, int64_t capacity);
/* One row a module with output, parameters and costs. */
AG_API int64_t ag_graph_summary(const ag_graph* graph, char* buffer, int64_t capacity);
/* What has to be done to `graph` to get `other`, as JSON: numbers of ops under "added" (of other),
 * "removed" (of graph) and "changed" ({"before", "after", "what"}); "outputs" is true if they
 * return different values. */
AG_API int64_t ag_graph_diff(const ag_graph* graph, const ag_graph* other, char* buffer,
                             int64_t capacity);
/* For drawings: `other` with what was removed of `graph`; what was added, removed or changed has a
 * colour. */
AG_API ag_graph* ag_graph_diff_graph(const ag_graph* graph, const ag_graph* other);
/* The graph with the time of each op. runs 0: the times that a recording measured; a graph that was
 * not recorded is run a few times. Else it is run so many times on made-up data, and the run in the
 * middle counts. */
AG_API AG_BLOCKING ag_graph* ag_graph_profile(const ag_graph* graph, int64_t runs);
/* The graph as the compiler would execute it. */
AG_API ag_graph* ag_graph_fuse(const ag_graph* graph);
/* What ag_graph_fuse did to make this graph, as JSON: changes and refusals with their numbers,
 * counts before and after; "" for other graphs. */
AG_API int64_t ag_graph_report(const ag_graph* graph, char* buffer, int64_t capacity);
/* Everything that is known of the graph, as JSON text: ops with their costs, values, scopes. */
AG_API int64_t ag_graph_json(const ag_graph* graph, char* buffer, int64_t capacity);
/* Records what the calling thread does from now on: every op, also on tensors without gradients,
 * changes in place, backward passes, steps of optimizers. profile: with the time of each op. */
AG_API ag_recording* ag_recording_begin(int32_t profile);
/* Ends the recording, in the thread in which it began; what was recorded stays. */
AG_API ag_status ag_recording_stop(ag_recording* recording);
/* The same, if it has not ended yet, and returns what was recorded; a second call
 * returns the same. Names as in ag_graph_from_tensor, for what the tensors are now. The graph is
 * made when a function first looks at it. */
AG_API ag_graph* ag_recording_end(ag_recording* recording, const ag_tensor* const* named,
                                  const char* const* names, int64_t n, int64_t n_buffers);
/* Notes what n tensors and their gradients are now, for ag_recording_graph, and keeps none. */
AG_API ag_status ag_recording_note(ag_recording* recording, const ag_tensor* const* tensors,
                                   int64_t n);
/* ag_recording_end with names for n tensors that were noted, gone or not: `noted` are their numbers
 * in the order of noting. */
AG_API ag_graph* ag_recording_graph(ag_recording* recording, const int64_t* noted,
                                    const char* const* names, int64_t n, int64_t n_buffers);
/* Frees a recording; one that has not ended records nothing more. */
AG_API void ag_recording_free(ag_recording* recording);
/* What follows, until ag_recording_leave, belongs to a module of that name and type. */
AG_API ag_status ag_recording_enter(ag_recording* recording, const char* name, const char* type);
AG_API ag_status ag_recording_leave(ag_recording* recording);
/* Gives the first n modules that were entered, by any of the ways below and above, new names and
 * types. */
AG_API ag_status ag_recording_name_modules(ag_recording* recording, const char* const* names,
                                           const char* const* types, int64_t n);
/* Within which of the entered modules each of them was entered: numbers in order of entering, -1
 * for none. Writes at most `capacity` of them; returns how many there are, -1 on failure. */
AG_API int64_t ag_recording_parents(ag_recording* recording, int64_t* parents, int64_t capacity);
/* For Python: the modules that the calling thread calls by ag_python_module_call() are entered and
 * left, and each is appended to `list`, a list, by PyList_Append. NULL ends it, and so does
 * ag_recording_stop. The interpreter's lock is held. */
AG_API ag_status ag_recording_watch(ag_recording* recording, void* list);
/* For Python: addresses of functions whose `self` is the name of a method, a str. One of METH_O
 * returns that method of its argument, a module; in a thread whose calls are watched, `watched` as
 * a method. One of METH_FASTCALL | METH_KEYWORDS calls the method of its first argument with the
 * others, and marks the call. */
AG_API const void* ag_python_module_get_call(void);
AG_API const void* ag_python_module_call(void);
/* What they need of the interpreter. functions: PyObject_GetAttr, PyObject_VectorcallMethod,
 * PyMethod_New, PyList_Append, Py_IncRef, Py_DecRef and PyErr_BadArgument; watched: a function made
 * of ag_python_module_call(). The first call decides for the whole process. */
AG_API ag_status ag_python_module_calls(const void* const* functions, int64_t n_functions,
                                        const void* watched);
/* For Python: tells the functions "begin_recording", "end_recording" and "seen_by_recording" of
 * ag_python_function(), once, what they need of the interpreter: functions and objects as
 * python/autograd/graph/recording.py names them, in that order. All live on. Value error before
 * ag_python_classes(). */
AG_API ag_status ag_python_recording(const void* const* functions, int64_t n_functions,
                                     const void* const* objects, int64_t n_objects);

/* ---- compiled functions ---- */

/* A compiled function: calls of it are captured until two are alike; from then on the calls of its
 * operations are repeated natively. At most max_plans plans (shapes of inputs, gradients there or
 * not) and max_captures captured calls in a row that gave none; 0 for the defaults, 8 and 8. With
 * refuse_reads, reading an element of a tensor in a captured call is an error at once; without
 * passes, the operations run as they were captured. */
AG_API ag_compiled* ag_compiled_create(int64_t max_plans, int64_t max_captures,
                                       int32_t refuse_reads, int32_t passes);
AG_API void ag_compiled_free(ag_compiled* compiled);
/* Runs the plan that fits the n inputs; out[capacity] gets the results. Returns their number, -1 on
 * failure, -2 if no plan fits or this thread's calls are being captured: then the function itself
 * has to be called, between ag_compiled_begin and ag_compiled_end. */
AG_API int64_t ag_compiled_run(ag_compiled* compiled, const ag_tensor* const* inputs, int64_t n,
                               ag_tensor** out, int64_t capacity);
/* The same for up to four inputs, of which the last may be NULL, and one result, which is returned.
 * NULL with ag_last_status() AG_OK if no plan fits. */
AG_API ag_tensor* ag_compiled_call(ag_compiled* compiled, const ag_tensor* a, const ag_tensor* b,
                                   const ag_tensor* c, const ag_tensor* d);
/* Starts to capture this thread's calls: returns 1; 0 if another capture is going on, of which they
 * become a part; -1 on failure: too many plans or captures. */
AG_API int32_t ag_compiled_begin(ag_compiled* compiled, const ag_tensor* const* inputs, int64_t n);
/* 1 while this thread's calls are captured, else 0. */
AG_API int32_t ag_compiled_is_capturing(void);
/* Ends the capture with the results of the call. */
AG_API ag_status ag_compiled_end(ag_compiled* compiled, const ag_tensor* const* outputs, int64_t n);
/* Ends it without a result. */
AG_API void ag_compiled_cancel(ag_compiled* compiled);
/* Runs over batches of rows (slices along dim 0) of the inputs: rows start to `rows`, batch_size at
 * a time, or those that index (int64, 1-d; NULL for all in order) names. The first result of each
 * batch, one number, goes to losses (NULL for none). Returns the number of batches done, -1 on
 * failure: fewer than there are if no plan fits the next. */
AG_API AG_BLOCKING int64_t ag_compiled_run_batches(ag_compiled* compiled,
                                                   const ag_tensor* const* inputs, int64_t n,
                                                   const ag_tensor* index, int64_t start,
                                                   int64_t rows, int64_t batch_size,
                                                   int32_t drop_last, double* losses);
/* The options of an optimizer's step, numbered in order of the calls of the captured function, as
 * the numbers that ag_<optimizer>_step takes. */
AG_API ag_status ag_compiled_set_options(ag_compiled* compiled, int64_t step, const double* numbers,
                                         int64_t n);
/* How many plans and captured calls there are; -1 for NULL. */
AG_API int64_t ag_compiled_num_plans(const ag_compiled* compiled);
AG_API int64_t ag_compiled_num_captures(const ag_compiled* compiled);
/* Something has changed that the function may depend on besides its inputs: a plan is used again
 * after a captured call has done what it does. keep_captures: what has changed may change back; if
 * 0, captured calls without a plan are forgotten. */
AG_API ag_status ag_compiled_doubt(ag_compiled* compiled, int32_t keep_captures);
/* Forgets all plans and captures. */
AG_API ag_status ag_compiled_clear(ag_compiled* compiled);
/* Why no plan fits the inputs, and why the last capture gave no plan. */
AG_API int64_t ag_compiled_misfit(const ag_compiled* compiled, const ag_tensor* const* inputs,
                                  int64_t n, char* buffer, int64_t capacity);
AG_API int64_t ag_compiled_difference(const ag_compiled* compiled, char* buffer, int64_t capacity);
/* The graph of a plan, as it was captured or as it runs. The n tensors in `named`, the last
 * n_buffers of which are buffers, have the names `names` in it, and the inputs those in `inputs`,
 * by their number; "" is none. */
AG_API ag_graph* ag_compiled_graph(const ag_compiled* compiled, int64_t plan, int32_t as_captured,
                                   const ag_tensor* const* named, const char* const* names,
                                   int64_t n, int64_t n_buffers, const char* const* inputs,
                                   int64_t n_inputs);
/* Writes all plans to a file, with the tensors from outside as they are now: parameters, buffers,
 * states of optimizers. The n named ones are found again under their names. */
AG_API ag_status ag_compiled_save(const ag_compiled* compiled, const char* path,
                                  const ag_tensor* const* named, const char* const* names,
                                  int64_t n);
/* Plans from a file, over new tensors, for predictions and further training. Nothing in the file is
 * trusted; results that take more than max_bytes in all are refused. */
AG_API ag_compiled* ag_compiled_load(const char* path, int64_t max_bytes);
/* The same of several functions in one file, each under a label; tensors that they share are shared
 * when they are loaded. */
AG_API ag_status ag_compiled_save_all(const ag_compiled* const* functions,
                                      const char* const* labels, int64_t n_functions,
                                      const char* path, const ag_tensor* const* named,
                                      const char* const* names, int64_t n);
/* All functions of a file, in order; ag_compiled_load wants a file of one. Returns their number, -1
 * on failure, also where there are more than `capacity`: a file holds at most 1024. */
AG_API int64_t ag_compiled_load_all(const char* path, int64_t max_bytes, ag_compiled** out,
                                    int64_t capacity);
/* What a loaded function was saved under. */
AG_API int64_t ag_compiled_label(const ag_compiled* compiled, char* buffer, int64_t capacity);
/* The tensors that ag_compiled_load has made: how many, each of them, and its name, "" for none. */
AG_API int64_t ag_compiled_num_tensors(const ag_compiled* compiled);
AG_API ag_tensor* ag_compiled_tensor(const ag_compiled* compiled, int64_t i);
AG_API int64_t ag_compiled_tensor_name(const ag_compiled* compiled, int64_t i, char* buffer,
                                       int64_t capacity);
/* The options of a step, as ag_compiled_set_options takes them: writes at most `capacity` of them
 * and returns how many there are, -1 on failure. */
AG_API int64_t ag_compiled_options(const ag_compiled* compiled, int64_t step, double* out,
                                   int64_t capacity);
/* What was done to the graph of a plan. */
AG_API int64_t ag_compiled_explain(const ag_compiled* compiled, int64_t plan, char* buffer,
                                   int64_t capacity);

#ifdef __cplusplus
}
#endif

#endif /* AUTOGRAD_H_ */
