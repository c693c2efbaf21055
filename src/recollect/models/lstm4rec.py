"""LSTM4Rec: long short-term memory over the whole history, the network that xLSTM extends.

Source: Hochreiter & Schmidhuber 1997 for the cell, with the forget gate of Gers et al. 2000; trained as gru4rec is.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from recollect.contracts import Carried, Catalog, Events, State
from recollect.nn.recurrent_net import RecurrentNet, RecurrentSettings
from recollect.nn.repeat_head import repeat_head


class LSTM4Rec(Carried):
    class Config(RecurrentSettings):
        """As every recurrent network here: `width`, `hidden`, `layers` and `dropout`."""

    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog = config, catalog
        self.repeat = repeat_head(config.width, config.repeat)
        self.net = RecurrentNet("lstm", catalog.size, config)

    def item_vectors(self) -> Tensor:
        return self.net.table.weight

    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        return self.net.fresh(users)

    def forward(self, events: Events, state: State) -> tuple[Tensor, State, Mapping[str, Tensor]]:
        hidden, after = self.net(events, state)
        return hidden, after, {}
