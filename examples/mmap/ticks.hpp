// The record of the tick files in these examples: 32 bytes, little-endian, no padding.
#pragma once

#include <cstdint>

struct Tick {
    std::uint64_t time_ns;   // since 1970
    char symbol[8];          // ASCII, filled up with NULs
    std::int64_t price;      // in ten-thousandths of the currency
    std::uint32_t quantity;
    std::uint32_t flags;
};

static_assert(sizeof(Tick) == 32, "a tick is 32 bytes in the file");
