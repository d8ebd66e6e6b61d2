"""Pairs with a content direction and two correlated features of unequal means, and a loop that fits objectives."""

from dataclasses import replace

import numpy as np
import torch

from dehusk.fitting.objectives import Batch

CORRELATION = 0.5  # of the two features


def planted(seed=0, pairs=600, dimensions=16):
    """A batch of all pairs, and what is true of them: differences of the two features (n, 2) and of content (n,).

    Content is worth .8 between chosen and rejected answers, the first feature .7, the second .4. Under a foreign prompt
    content is drawn anew and the features stay.
    """
    rng = np.random.default_rng(seed)
    spread = [[1, CORRELATION], [CORRELATION, 1]]
    features = [rng.multivariate_normal([sign * 0.35, sign * 0.2], spread, pairs) for sign in (1, -1)]
    contents = [rng.normal(sign * 0.4, 1, pairs) for sign in (1, -1)]
    turn = np.linalg.qr(rng.normal(size=(dimensions, dimensions)))[0]

    def places(content, feature):
        point = 0.5 * rng.normal(size=(pairs, dimensions))
        point[:, 0] = content
        point[:, 1:3] = feature + 0.2 * rng.normal(size=(pairs, 2))
        return point @ turn

    own = [places(content, feature) for content, feature in zip(contents, features, strict=True)]
    foreign = [places(rng.normal(size=pairs), feature) for feature in features]
    mean, scale = np.concatenate(own).mean(0), np.concatenate(own).std(0)
    middle, size = np.concatenate(features).mean(0), np.concatenate(features).std(0)
    chosen, rejected, foreign_chosen, foreign_rejected = (
        torch.tensor((each - mean) / scale, dtype=torch.float32) for each in (*own, *foreign)
    )
    batch = Batch(
        chosen,
        rejected,
        *(torch.tensor((each - middle) / size, dtype=torch.float32) for each in features),
        weight=torch.ones(pairs),
        row=torch.arange(pairs),
        foreign_chosen=foreign_chosen,
        foreign_rejected=foreign_rejected,
        text_loss=torch.ones(pairs),
    )
    return batch, (features[0] - features[1], contents[0] - contents[1])


def some_of(batch, rows):
    """A part of a batch."""
    return replace(batch, **{name: value[rows] for name, value in vars(batch).items() if value is not None})


def fitted(objective, batch, *, steps=200, rate=0.05, size=None, seed=0):
    """The head after some steps of Adam with a falling rate, on all pairs at once or on `size` drawn at each step."""
    torch.manual_seed(seed)
    pairs = len(batch.row)
    head = objective.build(batch.chosen.shape[1], batch.chosen_features.shape[1], pairs)
    optimiser = torch.optim.Adam([each for each in head.parameters() if each.requires_grad], lr=rate)
    for step in range(steps):
        progress = step / steps
        optimiser.param_groups[0]["lr"] = rate * (1 - progress)
        now = batch if size is None else some_of(batch, torch.randperm(pairs)[:size])
        objective.before(head, now, progress)
        loss = sum(objective.terms(head, now, progress).values())
        loss = loss + 1e-3 * sum((each**2).sum() for each in head["reward"].parameters())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return head


def differences(objective, head, batch):
    """Rewards of the chosen less those of the rejected answers, as an array."""
    with torch.no_grad():
        return (objective.reward(head, batch.chosen) - objective.reward(head, batch.rejected)).double().numpy()


def coefficients(difference, truth):
    """What a standard deviation of differences owes to each feature and to content, by least squares: shape (3,)."""
    features, content = truth
    x = np.column_stack([features, content, np.ones(len(content))])
    return np.linalg.lstsq(x, difference / difference.std(), rcond=None)[0][:3]
