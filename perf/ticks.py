"""Files as a tick plant writes them: quotes and trades of one instrument over some seconds, as CSV and as JSON lines.

Everything follows from the seed. Prices walk by the instrument's tick around its level of the day, gaps between events
are exponential, sizes are lots with a long tail, sequence numbers and ids rise over the whole feed. Lengths are spread
log-uniformly from 1 to 16 KiB, so there are as many files between 1 and 2 KiB as between 8 and 16.
"""

import json
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SHORTEST = 1 << 10
LONGEST = 16 << 10

VENUES = ("XNAS", "XNYS", "ARCX", "BATS", "EDGX", "IEXG", "MEMX", "XCHI")
CONDITIONS = ("@", "@ F", "@ T", "@  I", "@ FI", "@ TI", "")
OPENING = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


@dataclass(frozen=True)
class File:
    """A file and the key under which it is put."""

    key: str
    body: bytes

    @property
    def kind(self) -> str:
        """What the file holds, and how: "quotes.csv"."""
        return f"{self.key.partition('/')[0]}.{self.key.rpartition('.')[2]}"


@dataclass
class Instrument:
    """What is traded, and where its market stands."""

    symbol: str
    cents: int
    """The price, in hundredths of the currency."""
    spread: int
    rate: float
    """Events a second."""
    sequence: int
    """Of the feed, and the ids that venues gave: they rise by what happened elsewhere meanwhile."""
    order: int
    trade: int


class Feed:
    """An endless day of one feed."""

    def __init__(self, seed: int, instruments: int = 400) -> None:
        """`instruments` of them, whose names, prices and activity follow from the seed."""
        self._random = random.Random(seed)
        self._instruments = [self._instrument() for _ in range(instruments)]
        # A few are traded all the time, most of them now and then.
        self._weights = [one.rate for one in self._instruments]

    def files(self, count: int) -> Iterator[File]:
        """The next `count` files: a fifth each of the five kinds, in no order."""
        for number in range(count):
            instrument = self._random.choices(self._instruments, self._weights)[0]
            length = int(SHORTEST * math.exp(self._random.uniform(0, math.log(LONGEST / SHORTEST))))
            began = OPENING + timedelta(seconds=self._random.uniform(0, 6.5 * 3600))
            folder, ending, write = self._random.choice(KINDS)
            body = write(self, instrument, began, length)
            day, clock = f"{began:%Y-%m-%d}", f"{began:%H%M%S}"
            yield File(f"{folder}/{instrument.symbol}/{day}/{clock}-{number:07}.{ending}", body)

    def _instrument(self) -> Instrument:
        draw = self._random
        symbol = "".join(draw.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=draw.choice((1, 2, 3, 3, 4, 4, 4))))
        cents = int(math.exp(draw.uniform(math.log(500), math.log(60_000))))
        rate = math.exp(draw.gauss(2, 1.5))
        sequence, order, trade = (
            draw.randrange(10**4, 5 * 10**7),
            draw.randrange(10**7, 10**9),
            draw.randrange(10**4, 10**7),
        )
        return Instrument(symbol, cents, max(1, cents // 5000), rate, sequence, order, trade)

    def step(self, instrument: Instrument, time: datetime) -> datetime:
        """Moves the market on by one event; when that was."""
        draw = self._random
        instrument.cents = max(100, instrument.cents + draw.choice((-2, -1, -1, 0, 0, 0, 0, 1, 1, 2)))
        instrument.sequence += 1 + int(draw.expovariate(0.05))
        instrument.order += 1 + int(draw.expovariate(0.01))
        instrument.trade += 1 + int(draw.expovariate(0.2))
        return time + timedelta(seconds=draw.expovariate(instrument.rate))

    def size(self) -> int:
        """Of an order or a trade, in units: round lots mostly."""
        draw = self._random
        if draw.random() < 0.3:
            return draw.randrange(1, 100)
        return 100 * (1 + int(draw.expovariate(0.4)))

    def venue(self) -> str:
        """Where it happened."""
        return self._random.choices(VENUES, (30, 18, 15, 12, 10, 6, 6, 3))[0]

    def condition(self) -> str:
        """The conditions of a sale."""
        return self._random.choices(CONDITIONS, (40, 15, 5, 25, 8, 5, 2))[0]

    def side(self) -> str:
        """Whose order was there first."""
        return self._random.choice("BS")

    def nanoseconds(self, least: int, most: int) -> int:
        """A part of a time, as clocks give it."""
        return self._random.randrange(least, most)


def _price(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


def _stamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _csv_quotes(feed: Feed, instrument: Instrument, time: datetime, length: int) -> bytes:
    text = "timestamp,sequence,symbol,bid_price,bid_size,bid_venue,ask_price,ask_size,ask_venue,condition\n"
    while len(text) < length:
        time = feed.step(instrument, time)
        bid, ask = _price(instrument.cents), _price(instrument.cents + instrument.spread)
        text += f"{_stamp(time)},{instrument.sequence},{instrument.symbol},{bid},{feed.size()},{feed.venue()}"
        text += f",{ask},{feed.size()},{feed.venue()},R\n"
    return text.encode()


def _csv_trades(feed: Feed, instrument: Instrument, time: datetime, length: int) -> bytes:
    text = f"# feed=consolidated tape=C symbol={instrument.symbol} date={time:%Y-%m-%d} timezone=UTC version=3\n"
    text += "ts_event,ts_recv,price,size,side,venue,trade_id,conditions\n"
    while len(text) < length:
        time = feed.step(instrument, time)
        event = int(time.timestamp() * 1e6) * 1000 + feed.nanoseconds(0, 1000)
        received = event + feed.nanoseconds(15_000, 75_000)
        price = _price(instrument.cents)
        text += f"{event},{received},{price},{feed.size()},{feed.side()},{feed.venue()},{instrument.trade}"
        text += f",{feed.condition()}\n"
    return text.encode()


def _json_quotes(feed: Feed, instrument: Instrument, time: datetime, length: int) -> bytes:
    text = ""
    while len(text) < length:
        time = feed.step(instrument, time)
        quote = {
            "type": "quote",
            "symbol": instrument.symbol,
            "timestamp": _stamp(time),
            "sequence": instrument.sequence,
            "bid": {"price": instrument.cents / 100, "size": feed.size(), "venue": feed.venue()},
            "ask": {"price": (instrument.cents + instrument.spread) / 100, "size": feed.size(), "venue": feed.venue()},
            "condition": "R",
            "halted": False,
        }
        text += json.dumps(quote) + "\n"
    return text.encode()


def _json_trades(feed: Feed, instrument: Instrument, time: datetime, length: int) -> bytes:
    text = ""
    while len(text) < length:
        time = feed.step(instrument, time)
        trade = {
            "ev": "T",
            "sym": instrument.symbol,
            "i": str(instrument.trade),
            "x": feed.venue(),
            "p": instrument.cents / 100,
            "s": feed.size(),
            "c": feed.condition().split(),
            "t": int(time.timestamp() * 1000),
            "q": instrument.sequence,
        }
        text += json.dumps(trade, separators=(",", ":")) + "\n"
    return text.encode()


def _json_orders(feed: Feed, instrument: Instrument, time: datetime, length: int) -> bytes:
    head = {"schema": "order-events/2", "symbol": instrument.symbol, "currency": "USD", "opened": _stamp(time)}
    events: list[dict[str, object]] = []
    total = len(json.dumps(head))
    while total < length:
        time = feed.step(instrument, time)
        event: dict[str, object] = {
            "event": "new" if feed.side() == "B" else "cancel",
            "orderId": f"{instrument.order:012d}",
            "clientOrderId": f"DESK7-{instrument.sequence:x}",
            "side": "buy" if feed.side() == "B" else "sell",
            "orderType": "limit",
            "timeInForce": "day",
            "limitPrice": _price(instrument.cents),
            "quantity": feed.size(),
            "venue": feed.venue(),
            "transactTime": _stamp(time),
        }
        events.append(event)
        total += len(json.dumps(event))
    return json.dumps(head | {"events": events}).encode()


KINDS: tuple[tuple[str, str, Callable[[Feed, Instrument, datetime, int], bytes]], ...] = (
    ("quotes", "csv", _csv_quotes),
    ("trades", "csv", _csv_trades),
    ("quotes", "json", _json_quotes),
    ("trades", "json", _json_trades),
    ("orders", "json", _json_orders),
)
