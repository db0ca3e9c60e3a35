// heap_new.cpp - operators new and delete in all their forms; every figure is known.
//
//     what                                                     blocks     bytes   left at the end
//     plain: new 40, delete with and without a size             2,000    80,000   none
//     array: new[] 100, delete[]                                1,000   100,000   none
//     silent: new (nothrow) 24, delete                          1,000    24,000   none
//     aligned: new of 256 bytes at 64, delete                     500   128,000   none
//     mixed: malloc 48, free; new 48, delete, by turns          1,000    48,000   none
//     lost: new 64                                                100     6,400   all
//
// With an argument: stays that many seconds more, so that it is seen. Exit status 4.
#include <cstdlib>
#include <new>
#include <unistd.h>

static void *volatile kept;
struct alignas(64) Wide {
    char data[256];
};

__attribute__((noinline)) static void plain()
{
    for (int i = 0; i < 1000; i++) {
        void *a = ::operator new(40), *b = ::operator new(40);
        kept = a;
        ::operator delete(a);
        ::operator delete(b, std::size_t{40});
    }
}

__attribute__((noinline)) static void array()
{
    for (int i = 0; i < 1000; i++) {
        char *a = new char[100];
        kept = a;
        delete[] a;
    }
}

__attribute__((noinline)) static void silent()
{
    for (int i = 0; i < 1000; i++) {
        void *a = ::operator new(24, std::nothrow);
        kept = a;
        ::operator delete(a, std::nothrow);
    }
}

__attribute__((noinline)) static void aligned()
{
    for (int i = 0; i < 500; i++) {
        Wide *a = new Wide;
        kept = a;
        delete a;
    }
}

__attribute__((noinline)) static void mixed()
{
    for (int i = 0; i < 500; i++) {
        void *a = std::malloc(48);
        kept = a;
        std::free(a);
        a = ::operator new(48);
        kept = a;
        ::operator delete(a);
    }
}

__attribute__((noinline)) static void lost()
{
    for (int i = 0; i < 100; i++)
        kept = ::operator new(64);
}

int main(int argc, char **argv)
{
    plain();
    array();
    silent();
    aligned();
    mixed();
    lost();
    if (argc > 1)
        sleep(static_cast<unsigned>(std::atoi(argv[1])));
    return 4;
}
