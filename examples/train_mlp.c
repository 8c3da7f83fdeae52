/* Tells three kinds of iris apart by their measurements: a 4-16-3 network, trained in C99.
 *
 *   train_mlp_c examples/iris.csv
 */
#include <autograd.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { FLOWERS = 150, FEATURES = 4, HIDDEN = 16, SPECIES = 3, PARAMETERS = 4 };

typedef struct Model {
  ag_tensor* parameters[PARAMETERS]; /* weight, bias of the first layer, of the second */
} Model;

/* Ends the program with the library's message when a call failed. */
static ag_tensor* need(ag_tensor* t) {
  if (t == NULL) {
    fprintf(stderr, "train_mlp_c: %s\n", ag_last_error());
    exit(1);
  }
  return t;
}

static void need_ok(ag_status status) {
  if (status != AG_OK) need(NULL);
}

/* Reads the measurements, scaled to mean 0 and variance 1, and the species. Every third flower is
 * kept for the test and put behind the others. */
static void load(const char* path, float x[FLOWERS][FEATURES], int64_t species[FLOWERS]) {
  char line[256];
  int read = 0;
  FILE* file = fopen(path, "r");
  while (file != NULL && read < FLOWERS && fgets(line, sizeof line, file) != NULL) {
    int at = read % 3 == 2 ? FLOWERS * 2 / 3 + read / 3 : read - read / 3;
    int kind;
    if (line[0] == '#') continue;
    if (sscanf(line, "%f,%f,%f,%f,%d", &x[at][0], &x[at][1], &x[at][2], &x[at][3], &kind) != 5)
      break;
    species[at] = kind;
    ++read;
  }
  if (file != NULL) fclose(file);
  if (read != FLOWERS) {
    fprintf(stderr, "train_mlp_c: %s does not hold %d flowers\n", path, FLOWERS);
    exit(1);
  }
  for (int j = 0; j < FEATURES; ++j) {
    double sum = 0, squares = 0;
    for (int i = 0; i < FLOWERS; ++i) sum += x[i][j];
    for (int i = 0; i < FLOWERS; ++i) squares += pow(x[i][j] - sum / FLOWERS, 2);
    for (int i = 0; i < FLOWERS; ++i)
      x[i][j] = (float)((x[i][j] - sum / FLOWERS) / sqrt(squares / FLOWERS));
  }
}

/* A weight or bias with PyTorch's starting values for a layer of that many inputs. */
static ag_tensor* parameter(int64_t rows, int64_t columns, int64_t inputs) {
  int64_t sizes[2] = {rows, columns};
  double bound = 1 / sqrt((double)inputs);
  ag_tensor* p = need(ag_empty(sizes, columns > 0 ? 2 : 1, AG_FLOAT32));
  need_ok(ag_uniform_(p, -bound, bound));
  need_ok(ag_tensor_set_requires_grad(p, 1));
  return p;
}

/* Logits [n, SPECIES] of x [n, FEATURES]. */
static ag_tensor* forward(const Model* model, const ag_tensor* x) {
  ag_tensor* linear = need(ag_linear(x, model->parameters[0], model->parameters[1]));
  ag_tensor* hidden = need(ag_tanh(linear));
  ag_tensor* logits = need(ag_linear(hidden, model->parameters[2], model->parameters[3]));
  ag_tensor_free(linear);
  ag_tensor_free(hidden);
  return logits;
}

static double train_step(Model* model, ag_tensor** momentum, const ag_tensor* x,
                         const ag_tensor* species) {
  double value = 0;
  ag_tensor* logits = forward(model, x);
  ag_tensor* loss = need(ag_cross_entropy(logits, species, NULL, AG_REDUCTION_MEAN, -100, 0));
  need_ok(ag_zero_grad(model->parameters, PARAMETERS, 1));
  need_ok(ag_backward(&loss, NULL, 1, NULL, 0, 0, 0));
  need_ok(ag_sgd_step(model->parameters, momentum, PARAMETERS, 0.1, 0.9, 0, 0, 0, 0));
  need_ok(ag_tensor_item_double(loss, &value));
  ag_tensor_free(logits);
  ag_tensor_free(loss);
  return value;
}

static int64_t count_right(const Model* model, const ag_tensor* x, const ag_tensor* species) {
  int64_t dim = 1, right = 0;
  ag_tensor* logits = forward(model, x);
  ag_tensor* answers = need(ag_argmax(logits, &dim, 1, 0));
  ag_tensor* equal = need(ag_eq(answers, species));
  ag_tensor* sum = need(ag_sum(equal, NULL, 0, 0, -1));
  need_ok(ag_tensor_item_int(sum, &right));
  ag_tensor_free(logits);
  ag_tensor_free(answers);
  ag_tensor_free(equal);
  ag_tensor_free(sum);
  return right;
}

int main(int argc, char** argv) {
  static float x[FLOWERS][FEATURES];
  static int64_t species[FLOWERS];
  const int64_t n_test = FLOWERS / 3, n_train = FLOWERS - n_test;
  const int64_t train_sizes[2] = {n_train, FEATURES}, test_sizes[2] = {n_test, FEATURES};
  ag_tensor* momentum[PARAMETERS] = {NULL, NULL, NULL, NULL};
  Model model;

  if (ag_abi_version() != AG_ABI_VERSION) {
    fprintf(stderr, "train_mlp_c: the library is of another ABI version than the header\n");
    return 1;
  }
  load(argc > 1 ? argv[1] : "iris.csv", x, species);
  ag_tensor* train_x = need(ag_tensor_from_data(x, AG_FLOAT32, train_sizes, 2));
  ag_tensor* train_species = need(ag_tensor_from_data(species, AG_INT64, &n_train, 1));
  ag_tensor* test_x = need(ag_tensor_from_data(x[n_train], AG_FLOAT32, test_sizes, 2));
  ag_tensor* test_species = need(ag_tensor_from_data(species + n_train, AG_INT64, &n_test, 1));

  ag_manual_seed(0);
  model.parameters[0] = parameter(HIDDEN, FEATURES, FEATURES);
  model.parameters[1] = parameter(HIDDEN, 0, FEATURES);
  model.parameters[2] = parameter(SPECIES, HIDDEN, HIDDEN);
  model.parameters[3] = parameter(SPECIES, 0, HIDDEN);
  for (int step = 1; step <= 200; ++step) {
    double loss = train_step(&model, momentum, train_x, train_species);
    if (step % 50 == 0) printf("step %d: loss %.4f\n", step, loss);
  }

  ag_set_grad_enabled(0);
  int right = (int)count_right(&model, test_x, test_species);
  printf("test accuracy %.2f (%d of %d flowers)\n", (double)right / (double)n_test, right,
         (int)n_test);

  for (int i = 0; i < PARAMETERS; ++i) {
    ag_tensor_free(model.parameters[i]);
    ag_tensor_free(momentum[i]);
  }
  ag_tensor_free(train_x);
  ag_tensor_free(train_species);
  ag_tensor_free(test_x);
  ag_tensor_free(test_species);
  return right >= 46 ? 0 : 1;
}
