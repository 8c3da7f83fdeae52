// C functions of recurrent layers and cells.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace {

/// The arguments that all layers take.
struct LayerArguments {
  const ag_tensor* input;
  const ag_tensor* h0;
  const ag_tensor* const* params;
  int64_t n_params;
  RecurrentOptions options;
};

RecurrentOptions options_of(int32_t has_biases, int64_t num_layers, double dropout, int32_t train,
                            int32_t bidirectional, int32_t batch_first) {
  RecurrentOptions options;
  options.has_biases = has_biases != 0;
  options.num_layers = num_layers;
  options.dropout = dropout;
  options.training = train != 0;
  options.bidirectional = bidirectional != 0;
  options.batch_first = batch_first != 0;
  return options;
}

using Layer = std::pair<Tensor, Tensor> (*)(const Tensor&, const Tensor&,
                                            const std::vector<Tensor>&, const RecurrentOptions&);

ag_status run_layer(const char* function, Layer layer, const LayerArguments& a, ag_tensor** output,
                    ag_tensor** h_n) {
  return run(function, [&](Arguments in) {
    in.pointer(output, "output");
    in.pointer(h_n, "h_n");
    auto result = layer(in.tensor(a.input, "input"), in.optional_tensor(a.h0),
                        in.tensors(a.params, a.n_params, "params"), a.options);
    *output = to_handle(std::move(result.first));
    *h_n = to_handle(std::move(result.second));
  });
}

using Cell = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                        const Tensor&);

ag_tensor* run_cell(const char* function, Cell cell, const ag_tensor* input, const ag_tensor* h,
                    const ag_tensor* w_ih, const ag_tensor* w_hh, const ag_tensor* b_ih,
                    const ag_tensor* b_hh) {
  return make(function, [&](Arguments in) {
    return cell(in.tensor(input, "input"), in.optional_tensor(h), in.tensor(w_ih, "w_ih"),
                in.tensor(w_hh, "w_hh"), in.optional_tensor(b_ih), in.optional_tensor(b_hh));
  });
}

}  // namespace

ag_status ag_lstm(const ag_tensor* input, const ag_tensor* h0, const ag_tensor* c0,
                  const ag_tensor* const* params, int64_t n_params, int32_t has_biases,
                  int64_t num_layers, double dropout, int32_t train, int32_t bidirectional,
                  int32_t batch_first, ag_tensor** output, ag_tensor** h_n, ag_tensor** c_n) {
  return run(__func__, [&](Arguments in) {
    in.pointer(output, "output");
    in.pointer(h_n, "h_n");
    in.pointer(c_n, "c_n");
    auto [y, h, c] =
        lstm(in.tensor(input, "input"), in.optional_tensor(h0), in.optional_tensor(c0),
             in.tensors(params, n_params, "params"),
             options_of(has_biases, num_layers, dropout, train, bidirectional, batch_first));
    *output = to_handle(std::move(y));
    *h_n = to_handle(std::move(h));
    *c_n = to_handle(std::move(c));
  });
}

ag_status ag_gru(const ag_tensor* input, const ag_tensor* h0, const ag_tensor* const* params,
                 int64_t n_params, int32_t has_biases, int64_t num_layers, double dropout,
                 int32_t train, int32_t bidirectional, int32_t batch_first, ag_tensor** output,
                 ag_tensor** h_n) {
  return run_layer(__func__, gru,
                   {input, h0, params, n_params,
                    options_of(has_biases, num_layers, dropout, train, bidirectional, batch_first)},
                   output, h_n);
}

ag_status ag_rnn_tanh(const ag_tensor* input, const ag_tensor* h0, const ag_tensor* const* params,
                      int64_t n_params, int32_t has_biases, int64_t num_layers, double dropout,
                      int32_t train, int32_t bidirectional, int32_t batch_first, ag_tensor** output,
                      ag_tensor** h_n) {
  return run_layer(__func__, rnn_tanh,
                   {input, h0, params, n_params,
                    options_of(has_biases, num_layers, dropout, train, bidirectional, batch_first)},
                   output, h_n);
}

ag_status ag_rnn_relu(const ag_tensor* input, const ag_tensor* h0, const ag_tensor* const* params,
                      int64_t n_params, int32_t has_biases, int64_t num_layers, double dropout,
                      int32_t train, int32_t bidirectional, int32_t batch_first, ag_tensor** output,
                      ag_tensor** h_n) {
  return run_layer(__func__, rnn_relu,
                   {input, h0, params, n_params,
                    options_of(has_biases, num_layers, dropout, train, bidirectional, batch_first)},
                   output, h_n);
}

ag_status ag_lstm_cell(const ag_tensor* input, const ag_tensor* h, const ag_tensor* c,
                       const ag_tensor* w_ih, const ag_tensor* w_hh, const ag_tensor* b_ih,
                       const ag_tensor* b_hh, ag_tensor** h_out, ag_tensor** c_out) {
  return run(__func__, [&](Arguments in) {
    in.pointer(h_out, "h_out");
    in.pointer(c_out, "c_out");
    auto result = lstm_cell(in.tensor(input, "input"), in.optional_tensor(h), in.optional_tensor(c),
                            in.tensor(w_ih, "w_ih"), in.tensor(w_hh, "w_hh"),
                            in.optional_tensor(b_ih), in.optional_tensor(b_hh));
    *h_out = to_handle(std::move(result.first));
    *c_out = to_handle(std::move(result.second));
  });
}

ag_tensor* ag_gru_cell(const ag_tensor* input, const ag_tensor* h, const ag_tensor* w_ih,
                       const ag_tensor* w_hh, const ag_tensor* b_ih, const ag_tensor* b_hh) {
  return run_cell(__func__, gru_cell, input, h, w_ih, w_hh, b_ih, b_hh);
}

ag_tensor* ag_rnn_tanh_cell(const ag_tensor* input, const ag_tensor* h, const ag_tensor* w_ih,
                            const ag_tensor* w_hh, const ag_tensor* b_ih, const ag_tensor* b_hh) {
  return run_cell(__func__, rnn_tanh_cell, input, h, w_ih, w_hh, b_ih, b_hh);
}

ag_tensor* ag_rnn_relu_cell(const ag_tensor* input, const ag_tensor* h, const ag_tensor* w_ih,
                            const ag_tensor* w_hh, const ag_tensor* b_ih, const ag_tensor* b_hh) {
  return run_cell(__func__, rnn_relu_cell, input, h, w_ih, w_hh, b_ih, b_hh);
}
