"""RNN4Rec: the plain recurrent network, without gates; what the gates of gru4rec and lstm4rec are measured against.

Source: Elman 1990 for the cell (tanh), Zhang et al. 2014 for its use on sequences of clicks; trained as gru4rec is.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from recollect.contracts import Carried, Catalog, Events, State
from recollect.nn.recurrent_net import RecurrentNet, RecurrentSettings
from recollect.nn.repeat_head import repeat_head


class RNN4Rec(Carried):
    class Config(RecurrentSettings):
        """As every recurrent network here: `width`, `hidden`, `layers` and `dropout`."""

    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog = config, catalog
        self.repeat = repeat_head(config.width, config.repeat)
        self.net = RecurrentNet("rnn", catalog.size, config)

    def item_vectors(self) -> Tensor:
        return self.net.table.weight

    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        return self.net.fresh(users)

    def forward(self, events: Events, state: State) -> tuple[Tensor, State, Mapping[str, Tensor]]:
        hidden, after = self.net(events, state)
        return hidden, after, {}
