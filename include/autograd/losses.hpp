// Losses and distances. All have gradients to every order, but for ctc_loss.
#pragma once
#include "autograd/tensor.hpp"

namespace autograd {

enum class Reduction : int32_t { kNone = 0, kMean = 1, kSum = 2 };

// ---- of classes
/// logsumexp(x) - x[target] (class indices, int64) or sum_j t_j (logsumexp(x) - x_j)
/// (probabilities), over dim 1 (dim 0 if logits are 1-d). weight [C] counts classes differently,
/// and in the mean too; targets equal to ignore_index count for nothing; label_smoothing s mixes s
/// / C of every class into the target.
Tensor cross_entropy(const Tensor& logits, const Tensor& target,
                     Reduction reduction = Reduction::kMean, const Tensor& weight = Tensor(),
                     int64_t ignore_index = -100, double label_smoothing = 0);
/// -x[target] for log probabilities x [N, C], [C] or [N, C, d1, ...].
Tensor nll_loss(const Tensor& input, const Tensor& target, const Tensor& weight = Tensor(),
                Reduction reduction = Reduction::kMean, int64_t ignore_index = -100);
/// sum over the other classes j of max(0, margin - x[target] + x[j])^p / C; p is 1 or 2.
Tensor multi_margin_loss(const Tensor& input, const Tensor& target, int64_t p = 1,
                         double margin = 1, const Tensor& weight = Tensor(),
                         Reduction reduction = Reduction::kMean);
/// The sum of max(0, 1 - x[t] + x[j]) / C over a row's own classes t and all others j. Input and
/// target (int64) are [N, C] or one row; the own classes stand before the first -1.
Tensor multilabel_margin_loss(const Tensor& input, const Tensor& target,
                              Reduction reduction = Reduction::kMean);
/// The mean over classes (the last dim) of the binary cross entropies of logits.
Tensor multilabel_soft_margin_loss(const Tensor& input, const Tensor& target,
                                   const Tensor& weight = Tensor(),
                                   Reduction reduction = Reduction::kMean);

/// -log of the probability that targets are what is left of a sequence without repetitions and
/// blanks (Graves et al., 2006). log_probs [T, N, C] are of the classes at each step, for instance
/// out of log_softmax; targets are [N, S], padded, or one behind the other in a row; input_lengths
/// and target_lengths [N] count the steps and classes that matter. log_probs [T, C]: one sequence.
/// The mean is one of loss / length of the target. zero_infinity: a target too long for its
/// sequence costs 0. Gradients to first order, right where log_probs come out of log_softmax.
/// Throws Error (runtime) for sizes, lengths and classes that do not fit.
Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                const Tensor& target_lengths, int64_t blank = 0,
                Reduction reduction = Reduction::kMean, bool zero_infinity = false);

// ---- of pairs; input and target broadcast
Tensor mse_loss(const Tensor& input, const Tensor& target,
                Reduction reduction = Reduction::kMean);  ///< (x - t)^2
Tensor l1_loss(const Tensor& input, const Tensor& target,
               Reduction reduction = Reduction::kMean);  ///< |x - t|
/// (x - t)^2 / (2 beta) where |x - t| < beta, else |x - t| - beta / 2.
Tensor smooth_l1_loss(const Tensor& input, const Tensor& target,
                      Reduction reduction = Reduction::kMean, double beta = 1);
/// (x - t)^2 / 2 where |x - t| <= delta, else delta (|x - t| - delta / 2).
Tensor huber_loss(const Tensor& input, const Tensor& target, Reduction reduction = Reduction::kMean,
                  double delta = 1);
/// log(1 + exp(-t x)), for targets of 1 and -1.
Tensor soft_margin_loss(const Tensor& input, const Tensor& target,
                        Reduction reduction = Reduction::kMean);
/// t (log t - x), or exp(t) (t - x) for targets given as logarithms.
Tensor kl_div(const Tensor& input, const Tensor& target, Reduction reduction = Reduction::kMean,
              bool log_target = false);
/// -t log x - (1 - t) log(1 - x), logarithms of at least -100; x and t of one shape, in [0, 1].
Tensor binary_cross_entropy(const Tensor& input, const Tensor& target,
                            const Tensor& weight = Tensor(),
                            Reduction reduction = Reduction::kMean);
/// The same of sigmoid(x), stable for every x; pos_weight multiplies the first term.
Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target,
                                        const Tensor& weight = Tensor(),
                                        const Tensor& pos_weight = Tensor(),
                                        Reduction reduction = Reduction::kMean);
/// exp(x) - t x, or x - t log(x + eps); full adds Stirling's approximation of log t! for t > 1.
Tensor poisson_nll_loss(const Tensor& input, const Tensor& target, bool log_input = true,
                        bool full = false, double eps = 1e-8,
                        Reduction reduction = Reduction::kMean);
/// (log v + (x - t)^2 / v) / 2, v = max(var, eps); full adds log(2 pi) / 2.
Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& var,
                         bool full = false, double eps = 1e-6,
                         Reduction reduction = Reduction::kMean);

// ---- of distances
/// x / max(|x|_p, eps) along dim.
Tensor normalize(const Tensor& x, double p = 2, int64_t dim = 1, double eps = 1e-12);
/// <x1, x2> / (max(|x1|, eps) max(|x2|, eps)) along dim.
Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, int64_t dim = 1, double eps = 1e-8);
/// |x1 - x2 + eps|_p along the last dim.
Tensor pairwise_distance(const Tensor& x1, const Tensor& x2, double p = 2, double eps = 1e-6,
                         bool keepdim = false);
/// |x1[..., i, :] - x2[..., j, :]|_p for all i and j: [..., P, M] and [..., R, M] to [..., P, R].
/// Leading dims broadcast. Differences are taken, also for p = 2, where a product would be faster
/// and less exact.
Tensor cdist(const Tensor& x1, const Tensor& x2, double p = 2);
/// |x[i, :] - x[j, :]|_p for all i < j, row after row: [N, M] to [N (N - 1) / 2].
Tensor pdist(const Tensor& x, double p = 2);
/// 1 - cos(x1, x2) where t is 1, max(0, cos(x1, x2) - margin) where it is -1.
Tensor cosine_embedding_loss(const Tensor& x1, const Tensor& x2, const Tensor& target,
                             double margin = 0, Reduction reduction = Reduction::kMean);
/// max(0, -t (x1 - x2) + margin)
Tensor margin_ranking_loss(const Tensor& x1, const Tensor& x2, const Tensor& target,
                           double margin = 0, Reduction reduction = Reduction::kMean);
/// x where t is 1, max(0, margin - x) where it is -1.
Tensor hinge_embedding_loss(const Tensor& input, const Tensor& target, double margin = 1,
                            Reduction reduction = Reduction::kMean);
/// max(0, d(anchor, positive) - d(anchor, negative) + margin); swap: the nearer of the two others
/// counts as the anchor.
Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           double margin = 1, double p = 2, double eps = 1e-6, bool swap = false,
                           Reduction reduction = Reduction::kMean);

}  // namespace autograd
