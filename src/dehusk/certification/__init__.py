"""Certificates: did a repair take a pressure away, or did it only move it? Judged under selection, not on an audit set.

That four outcomes cannot be told apart on any fixed set of texts, and can be by measuring several features on what
each reward chooses, is the result of arXiv 2605.27996. Its exact wording of the outcomes was not available to us;
what follows is ours.

**Pressure.** Old and repaired reward choose from one pool of samples: best of n for n = 2, 4, … and weights
exp(score/β) that go a chosen number of nats. The *lift* of a feature is its mean in what was chosen less its mean in
the pool; rates are taken as they are, amounts as normal scores of their ranks in the pool. Divided by its standard
deviation within prompts and by what picking by a normal feature itself would reach (the mean of the best of n standard
normal numbers; √(2 · nats) for the weights) it is the *pressure* on the feature: about the correlation of reward and
feature within prompts, 1 at most for a normal one (less for one that few prompts have), and comparable between n. A
margin serves all n.

**What is nobody's fault.** A reward that ignores a feature has pressure 0 on it. A better one has gold's own: what
picking by gold does. A good reward seen through noise lies between. So pressure counts only outside of the span from 0
to gold's own (from 0 to 0 when gold is not known); how far outside is the *excess*, and *growth* is excess after −
excess before. It follows that

- a feature that came along with the target and falls towards 0 has not grown: its excess shrank;
- a feature that passes 0 has grown only as far as it is further from 0 than it was;
- a feature that gold wants may rise up to what gold does, and one that is declared wanted may rise without limit;
- one that the target's pressure held down, and that now is free, has grown; so has one that merely takes the larger
  share in what is left of the reward: selection spends the same divergence on less, and the chosen answers do have
  more of it.

**Inference.** Prompts are drawn again, the same ones for everything. Three questions have each their own band that
holds for all of its contrasts at once (`stats.multiplicity.together`): the targets', over all ways of selecting; the
other features', over all of them and all ways; gold's. Pressure and excess are built from linear contrasts (after,
after − gold, after − before, after + before − gold, …) by minima and maxima, so their bounds are those of the contrasts
put through the same minima and maxima: at the kink at 0, where a bootstrap of |pressure| would fail, they still hold.
Whatever is claimed, good or bad, is claimed because an interval shows it; what lies between is not decided. What holds
if it is shown anywhere (remains, reversed, lower, grew) needs the joint bands. What holds only if it is shown
everywhere (gone, gold kept) needs each selection's own interval: to claim it wrongly, all of them have to be wrong
(Berger, 1982).

**Verdicts**, the first that holds:

- `over_correction`: a target's excess is shown to be beyond the margin on the other side.
- `contamination` (target_remains): a target's excess is beyond the margin on the old side, shown at any
  selection.
- `contamination` (gold_lower): gold under the repaired reward is shown to be lower by more than the margin: quality was
  removed with the target. Gold is a score, or the accuracy on labelled pairs.
- `not_enough_data` (no_pressure): no target's excess under the old reward is shown to be beyond the margin at any
  selection. There was nothing to repair, or too little data to see it, or gold itself wants it. A target without
  pressure beside others that have some is watched like any other feature.
- `substitution`: another feature, not declared wanted, is shown to have grown by more than the margin, and every target
  with pressure is shown to be gone, or at least to have become smaller.
- `not_enough_data`: a target is not shown to lie within the margin at every selection (target_undecided), or gold not
  shown to have kept within its margin (gold_undecided), or there is no gold at all (no_gold), or some feature could
  have grown by more than `detectable` without being found four times out of five (blind).
- `success`: none of these.

**Where the targets are equal.** A feature that goes with a target loses lift with it even when the reward itself now
pays more for that feature. Selection from one pool cannot show this, so it changes no verdict; slopes within prompts
with the targets held can (`equal.py`), and what has surely grown there by more than the margin is said beside it.
"""

from dehusk.certification.certifying import Judged, certify
from dehusk.certification.contest import Contest, Labels
from dehusk.certification.judging import Margins

__all__ = ["Contest", "Judged", "Labels", "Margins", "certify"]
