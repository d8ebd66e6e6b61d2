"""Pairs to add to preference pairs, one module a kind; `repairs.augmenting` draws, filters and weighs them.

A kind gives a frame with a line an added pair: `of`, the row of the pair whose prompt it has; `chosen` and `rejected`;
`tie`, true where neither answer is better; and `times`, its weight as a multiple of that pair's.
"""
