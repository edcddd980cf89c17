// The volume-weighted average price of each symbol in a tick file, which is mapped and scanned where it is.
//
//   g++ -std=c++17 -O2 -o vwap vwap.cpp
//   ./vwap FILE [--wait]
//
// With --wait it says that it has mapped the file and scans it after a line on standard input: what S3 puts under the
// same key meanwhile is another file, and the map is of this one.

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ticks.hpp"

namespace {

std::system_error last_error(const std::string &what) { return {errno, std::generic_category(), what}; }

// The ticks of a file, mapped read-only for as long as this lives.
class TickFile {
public:
    explicit TickFile(const std::string &path) {
        const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (descriptor < 0) throw last_error(path);
        struct stat status {};
        if (fstat(descriptor, &status) != 0) {
            const auto fault = last_error(path);
            close(descriptor);
            throw fault;
        }
        size_ = static_cast<std::size_t>(status.st_size);
        // Nothing can be mapped of an empty file.
        if (size_ > 0) mapped_ = mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor, 0);
        const auto fault = last_error(path);
        // The map keeps the file open.
        close(descriptor);
        if (mapped_ == MAP_FAILED) throw fault;
        if (size_ % sizeof(Tick) != 0) {
            munmap(mapped_, size_);
            throw std::runtime_error(path + ": its length is no multiple of a tick's");
        }
        // The kernel reads ahead as far as it may, and drops behind.
        if (size_ > 0) madvise(mapped_, size_, MADV_SEQUENTIAL);
    }

    TickFile(const TickFile &) = delete;
    TickFile &operator=(const TickFile &) = delete;

    ~TickFile() {
        if (size_ > 0) munmap(mapped_, size_);
    }

    const Tick *begin() const { return static_cast<const Tick *>(mapped_); }
    const Tick *end() const { return begin() + size_ / sizeof(Tick); }

private:
    void *mapped_ = nullptr;
    std::size_t size_ = 0;
};

struct Volume {
    std::int64_t notional = 0;  // price times quantity, summed
    std::int64_t quantity = 0;
};

std::map<std::string, Volume, std::less<>> volumes(const TickFile &ticks) {
    std::map<std::string, Volume, std::less<>> held;
    for (const Tick &tick : ticks) {
        const std::string_view symbol(tick.symbol, strnlen(tick.symbol, sizeof tick.symbol));
        auto found = held.find(symbol);
        if (found == held.end()) found = held.emplace(symbol, Volume{}).first;
        found->second.notional += tick.price * static_cast<std::int64_t>(tick.quantity);
        found->second.quantity += tick.quantity;
    }
    return held;
}

}  // namespace

int main(int count, char **arguments) {
    if (count < 2 || count > 3 || (count == 3 && std::strcmp(arguments[2], "--wait") != 0)) {
        std::fprintf(stderr, "usage: vwap FILE [--wait]\n");
        return 2;
    }
    try {
        const TickFile ticks(arguments[1]);
        if (count == 3) {
            std::printf("mapped\n");
            std::fflush(stdout);
            std::getchar();
        }
        for (const auto &[symbol, volume] : volumes(ticks)) {
            if (volume.quantity == 0) continue;
            const double average = static_cast<double>(volume.notional) / static_cast<double>(volume.quantity) / 1e4;
            std::printf("%s %.4f %lld\n", symbol.c_str(), average, static_cast<long long>(volume.quantity));
        }
    } catch (const std::exception &fault) {
        std::fprintf(stderr, "vwap: %s\n", fault.what());
        return 1;
    }
    return 0;
}
