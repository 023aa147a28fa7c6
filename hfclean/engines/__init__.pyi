from .merging import merge as merge
from .parts import clean_shard as clean_shard
