// C functions of softmax and the losses.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

ag_tensor* ag_softmax(const ag_tensor* x, int64_t dim) {
  return make(__func__, [&](Arguments in) { return softmax(in.tensor(x, "x"), dim); });
}

ag_tensor* ag_log_softmax(const ag_tensor* x, int64_t dim) {
  return make(__func__, [&](Arguments in) { return log_softmax(in.tensor(x, "x"), dim); });
}

ag_tensor* ag_cross_entropy(const ag_tensor* logits, const ag_tensor* target,
                            const ag_tensor* weight, ag_reduction reduction, int64_t ignore_index,
                            double label_smoothing) {
  return make(__func__, [&](Arguments in) {
    return cross_entropy(in.tensor(logits, "logits"), in.tensor(target, "target"),
                         in.reduction(reduction), *in.optional_tensor(weight), ignore_index,
                         label_smoothing);
  });
}

ag_tensor* ag_nll_loss(const ag_tensor* input, const ag_tensor* target, const ag_tensor* weight,
                       ag_reduction reduction, int64_t ignore_index) {
  return make(__func__, [&](Arguments in) {
    return nll_loss(in.tensor(input, "input"), in.tensor(target, "target"),
                    *in.optional_tensor(weight), in.reduction(reduction), ignore_index);
  });
}

ag_tensor* ag_multi_margin_loss(const ag_tensor* input, const ag_tensor* target, int64_t p,
                                double margin, const ag_tensor* weight, ag_reduction reduction) {
  return make(__func__, [&](Arguments in) {
    return multi_margin_loss(in.tensor(input, "input"), in.tensor(target, "target"), p, margin,
                             *in.optional_tensor(weight), in.reduction(reduction));
  });
}

ag_tensor* ag_multilabel_margin_loss(const ag_tensor* input, const ag_tensor* target,
                                     ag_reduction reduction) {
  return make(__func__, [&](Arguments in) {
    return multilabel_margin_loss(in.tensor(input, "input"), in.tensor(target, "target"),
                                  in.reduction(reduction));
  });
}

ag_tensor* ag_multilabel_soft_margin_loss(const ag_tensor* input, const ag_tensor* target,
                                          const ag_tensor* weight, ag_reduction reduction) {
  return make(__func__, [&](Arguments in) {
    return multilabel_soft_margin_loss(in.tensor(input, "input"), in.tensor(target, "target"),
                                       *in.optional_tensor(weight), in.reduction(reduction));
  });
}

ag_tensor* ag_ctc_loss(const ag_tensor* log_probs, const ag_tensor* targets,
                       const ag_tensor* input_lengths, const ag_tensor* target_lengths,
                       int64_t blank, ag_reduction reduction, ag_bool zero_infinity) {
  return make(__func__, [&](Arguments in) {
    return ctc_loss(in.tensor(log_probs, "log_probs"), in.tensor(targets, "targets"),
                    in.tensor(input_lengths, "input_lengths"),
                    in.tensor(target_lengths, "target_lengths"), blank, in.reduction(reduction),
                    zero_infinity != 0);
  });
}

ag_tensor* ag_mse_loss(const ag_tensor* input, const ag_tensor* target, ag_reduction reduction) {
  return make(__func__, [&](Arguments in) {
    return mse_loss(in.tensor(input, "input"), in.tensor(target, "target"),
                    in.reduction(reduction));
  });
}

ag_tensor* ag_l1_loss(const ag_tensor* input, const ag_tensor* target, ag_reduction reduction) {
  return make(__func__, [&](Arguments in) {
    return l1_loss(in.tensor(input, "input"), in.tensor(target, "target"), in.reduction(reduction));
  });
}

ag_tensor* ag_smooth_l1_loss(const ag_tensor* input, const ag_tensor* target,
                             ag_reduction reduction, double beta) {
  return make(__func__, [&](Arguments in) {
    return smooth_l1_loss(in.tensor(input, "input"), in.tensor(target, "target"),
                          in.reduction(reduction), beta);
  });
}

ag_tensor* ag_huber_loss(const ag_tensor* input, const ag_tensor* target, ag_reduction reduction,
                         double delta) {
  return make(__func__, [&](Arguments in) {
    return huber_loss(in.tensor(input, "input"), in.tensor(target, "target"),
                      in.reduction(reduction), delta);
  });
}

ag_tensor* ag_soft_margin_loss(const ag_tensor* input, const ag_tensor* target,
                               ag_reduction reduction) {
  return make(__func__, [&](Arguments in) {
    return soft_margin_loss(in.tensor(input, "input"), in.tensor(target, "target"),
                            in.reduction(reduction));
  });
}

ag_tensor* ag_kl_div(const ag_tensor* input, const ag_tensor* target, ag_reduction reduction,
                     int32_t log_target) {
  return make(__func__, [&](Arguments in) {
    return kl_div(in.tensor(input, "input"), in.tensor(target, "target"), in.reduction(reduction),
                  log_target != 0);
  });
}

ag_tensor* ag_binary_cross_entropy(const ag_tensor* input, const ag_tensor* target,
                                   const ag_tensor* weight, ag_reduction reduction) {
  return make(__func__, [&](Arguments in) {
    return binary_cross_entropy(in.tensor(input, "input"), in.tensor(target, "target"),
                                *in.optional_tensor(weight), in.reduction(reduction));
  });
}

ag_tensor* ag_binary_cross_entropy_with_logits(const ag_tensor* input, const ag_tensor* target,
                                               const ag_tensor* weight, const ag_tensor* pos_weight,
                                               ag_reduction reduction) {
  return make(__func__, [&](Arguments in) {
    return binary_cross_entropy_with_logits(
        in.tensor(input, "input"), in.tensor(target, "target"), *in.optional_tensor(weight),
        *in.optional_tensor(pos_weight), in.reduction(reduction));
  });
}

ag_tensor* ag_poisson_nll_loss(const ag_tensor* input, const ag_tensor* target, int32_t log_input,
                               int32_t full, double eps, ag_reduction reduction) {
  return make(__func__, [&](Arguments in) {
    return poisson_nll_loss(in.tensor(input, "input"), in.tensor(target, "target"), log_input != 0,
                            full != 0, eps, in.reduction(reduction));
  });
}

ag_tensor* ag_gaussian_nll_loss(const ag_tensor* input, const ag_tensor* target,
                                const ag_tensor* var, int32_t full, double eps,
                                ag_reduction reduction) {
  return make(__func__, [&](Arguments in) {
    return gaussian_nll_loss(in.tensor(input, "input"), in.tensor(target, "target"),
                             in.tensor(var, "var"), full != 0, eps, in.reduction(reduction));
  });
}

ag_tensor* ag_normalize(const ag_tensor* input, double p, int64_t dim, double eps) {
  return make(__func__,
              [&](Arguments in) { return normalize(in.tensor(input, "input"), p, dim, eps); });
}

ag_tensor* ag_cosine_similarity(const ag_tensor* x1, const ag_tensor* x2, int64_t dim, double eps) {
  return make(__func__, [&](Arguments in) {
    return cosine_similarity(in.tensor(x1, "x1"), in.tensor(x2, "x2"), dim, eps);
  });
}

ag_tensor* ag_cdist(const ag_tensor* x1, const ag_tensor* x2, double p) {
  return make(__func__,
              [&](Arguments in) { return cdist(in.tensor(x1, "x1"), in.tensor(x2, "x2"), p); });
}

ag_tensor* ag_pdist(const ag_tensor* input, double p) {
  return make(__func__, [&](Arguments in) { return pdist(in.tensor(input, "input"), p); });
}

ag_tensor* ag_pairwise_distance(const ag_tensor* x1, const ag_tensor* x2, double p, double eps,
                                int32_t keepdim) {
  return make(__func__, [&](Arguments in) {
    return pairwise_distance(in.tensor(x1, "x1"), in.tensor(x2, "x2"), p, eps, keepdim != 0);
  });
}

ag_tensor* ag_cosine_embedding_loss(const ag_tensor* input1, const ag_tensor* input2,
                                    const ag_tensor* target, double margin,
                                    ag_reduction reduction) {
  return make(__func__, [&](Arguments in) {
    return cosine_embedding_loss(in.tensor(input1, "input1"), in.tensor(input2, "input2"),
                                 in.tensor(target, "target"), margin, in.reduction(reduction));
  });
}

ag_tensor* ag_margin_ranking_loss(const ag_tensor* input1, const ag_tensor* input2,
                                  const ag_tensor* target, double margin, ag_reduction reduction) {
  return make(__func__, [&](Arguments in) {
    return margin_ranking_loss(in.tensor(input1, "input1"), in.tensor(input2, "input2"),
                               in.tensor(target, "target"), margin, in.reduction(reduction));
  });
}

ag_tensor* ag_hinge_embedding_loss(const ag_tensor* input, const ag_tensor* target, double margin,
                                   ag_reduction reduction) {
  return make(__func__, [&](Arguments in) {
    return hinge_embedding_loss(in.tensor(input, "input"), in.tensor(target, "target"), margin,
                                in.reduction(reduction));
  });
}

ag_tensor* ag_triplet_margin_loss(const ag_tensor* anchor, const ag_tensor* positive,
                                  const ag_tensor* negative, double margin, double p, double eps,
                                  int32_t swap, ag_reduction reduction) {
  return make(__func__, [&](Arguments in) {
    return triplet_margin_loss(in.tensor(anchor, "anchor"), in.tensor(positive, "positive"),
                               in.tensor(negative, "negative"), margin, p, eps, swap != 0,
                               in.reduction(reduction));
  });
}
