"""Products: what may be bought, at which price, and who earns from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from billing.money import MAX_AMOUNT_MINOR, Money
from eventfold import Decider, Stored, StreamType
from eventfold.errors import InvalidInput, NotPermitted, WrongState

Pricing = Literal["fixed", "open_amount"]


class Content(NamedTuple):
    """What is known of a content: who published it, and whether it is `free` or `paid`."""

    creator_id: str
    access: str


ContentsOf = Callable[[Collection[str]], Awaitable[Mapping[str, Content]]]
"""By content id, for those whose publication is known."""


class ContentIsFree(WrongState):
    """Free content has no price."""

    code = "CONTENT_IS_FREE"


@dataclass(frozen=True, slots=True)
class PriceProduct:
    """Set or change a price. For `open_amount` the buyer names the amount and `price` is the least one. Who `published`
    the content that is sold may price it, whoever did so before."""

    product_id: str
    creator_id: str
    title: str
    pricing: Pricing
    price: Money
    published: bool = False


@dataclass(frozen=True, slots=True)
class ProductPriced:
    """A product got a price, or another one."""

    product_id: str
    creator_id: str
    title: str
    pricing: Pricing
    price: Money
    previous: Money | None


@dataclass(frozen=True, slots=True)
class Product:
    """A product as it stands; None in `priced` until it has its first price."""

    priced: ProductPriced | None = None


def decide(command: PriceProduct, state: Product) -> Sequence[ProductPriced]:
    """Raises `InvalidInput` for an amount out of bounds, `NotPermitted` for another's product."""
    if not 0 <= command.price.amount_minor <= MAX_AMOUNT_MINOR:
        raise InvalidInput(f"must be from 0 to {MAX_AMOUNT_MINOR}", field="price.amount_minor")
    present = state.priced
    if present and present.creator_id != command.creator_id and not command.published:
        raise NotPermitted("the product belongs to another creator", product_id=command.product_id)
    if present and _same(present, command):
        return []
    return [
        ProductPriced(
            product_id=command.product_id,
            creator_id=command.creator_id,
            title=command.title,
            pricing=command.pricing,
            price=command.price,
            previous=present.price if present else None,
        )
    ]


def _same(present: ProductPriced, command: PriceProduct) -> bool:
    return all(getattr(present, name) == getattr(command, name) for name in ("creator_id", "title", "pricing", "price"))


def evolve(_: Product, event: ProductPriced) -> Product:
    """The newest price stands."""
    return Product(event)


PRODUCT = StreamType("product", Decider(Product(), decide, evolve))

EVENTS: Final[Stored] = {ProductPriced: ("product.priced", 1)}
