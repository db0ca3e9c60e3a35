// work_cpp.cpp - a C++ program's heap: words counted in a map of strings, in THREADS threads.
//
// usage: work_cpp WORDS THREADS
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#include <vector>

static void count(unsigned seed, unsigned long words, std::size_t *distinct)
{
    std::map<std::string, int> seen;
    std::uint64_t x = 88172645463325252u + seed;
    for (unsigned long i = 0; i < words; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        std::string word = "a word that is too long for the object " + std::to_string(x % 5000);
        if (++seen[word] == 8)
            seen.erase(word);
    }
    *distinct = seen.size();
}

int main(int argc, char **argv)
{
    const unsigned long words = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 100000;
    const unsigned n = argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 1;
    std::vector<std::thread> threads;
    std::vector<std::size_t> distinct(n);
    for (unsigned i = 0; i < n; i++)
        threads.emplace_back(count, i, words / n, &distinct[i]);
    for (auto &t : threads)
        t.join();
    std::printf("%zu\n", distinct[0]);
}
