/* A JSON list of numbers, or of lists of numbers, straight into doubles.

   Grammar and values are those of RFC 8259 with every number rounded to the nearest double, ties to even. A number of at
   most 19 significant digits is an integer w below 10^19 times 10^q, and Eisel and Lemire's algorithm finds the double
   from one product of w with 5^q, or from two where one does not decide (Lemire, Number parsing at a gigabyte per second,
   2021; that two always decide: Mushtak and Lemire, Fast number parsing without fallback, 2023). Whatever else stands
   there ends the reading: more digits, an infinite number, null, text, deeper lists. Nothing of Python is touched, so
   that the caller may let other threads run. */

#include <stdint.h>
#include <string.h>

#if !defined(__SIZEOF_INT128__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Written for 128-bit products and for little-endian words; elsewhere simdjson reads."
#endif

#ifdef _WIN32
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

#define LEAST_POWER (-342)
#define GREATEST_POWER 308
#define MOST_DIGITS 19

typedef struct {
    const char *end;         /* of the text */
    const uint64_t *powers;  /* 5^q for q from LEAST_POWER: the leading 128 bits, high word first */
    double *next, *full;     /* where the next number goes, and where there is no more room */
} reading;

static inline int is_digit(char c) { return (unsigned char)(c - '0') < 10; }

static inline const char *after_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* Marks, by the top bit of its byte, the first character of eight that is no digit; 0 where all are. */
static inline uint64_t no_digits(uint64_t word)
{
    return ((word + 0x4646464646464646u) | (word - 0x3030303030303030u)) & 0x8080808080808080u;
}

/* The number that eight digits make, the first in the lowest byte, their values and not their characters. */
static inline uint64_t of_digits(uint64_t word)
{
    word = word * 10 + (word >> 8);
    return (((word & 0x000000FF000000FFu) * 0x000F424000000064u) +
            (((word >> 16) & 0x000000FF000000FFu) * 0x0000271000000001u)) >> 32 & 0xFFFFFFFFu;
}

/* Appends the digits at `at` to w, eight at a time and modulo 2^64; where they end. */
static inline const char *digits_behind(const char *at, const char *end, uint64_t *w)
{
    static const uint64_t tens[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
    while (end - at >= 8) {
        uint64_t word, others;
        memcpy(&word, at, 8);
        others = no_digits(word);
        word -= 0x3030303030303030u;
        if (others) {
            /* Zeros in front of those that are digits, and the others pushed out: no branch on how many there are. */
            int found = __builtin_ctzll(others) / 8;
            *w = *w * tens[found] + of_digits(word << 8 << (56 - 8 * found));
            return at + found;
        }
        *w = *w * 100000000 + of_digits(word);
        at += 8;
    }
    while (at < end && is_digit(*at))
        *w = *w * 10 + (uint64_t)(*at++ - '0');
    return at;
}

/* The bits of the double nearest to w 10^q, w > 0; those of infinity where it is too large. */
static uint64_t nearest(uint64_t w, long q, const uint64_t *powers)
{
    if (q < LEAST_POWER)
        return 0;
    if (q > GREATEST_POWER)
        return (uint64_t)0x7FF << 52;
    int zeros = __builtin_clzll(w);
    w <<= zeros;
    const uint64_t *power = powers + 2 * (q - LEAST_POWER);
    unsigned __int128 product = (unsigned __int128)w * power[0];
    /* Nine bits are left below the 55 that are needed: while they are all ones, the rest of the power may carry. */
    if (((uint64_t)(product >> 64) & 0x1FF) == 0x1FF)
        product += (uint64_t)(((unsigned __int128)w * power[1]) >> 64);
    uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
    int upper = (int)(high >> 63), shift = upper + 9;
    uint64_t mantissa = high >> shift;
    /* floor(q log2 10) + 63, biased. */
    long exponent = ((217706 * q) >> 16) + 63 + upper - zeros + 1023;
    if (exponent <= 0) {
        if (exponent <= -63)
            return 0;
        mantissa >>= 1 - exponent;
        mantissa = (mantissa + (mantissa & 1)) >> 1;
        /* Rounding may have made it the least normal number, whose bits these are as well. */
        return mantissa;
    }
    /* Just between two doubles, which only these powers allow: to the even one. */
    if (low <= 1 && q >= -4 && q <= 23 && (mantissa & 3) == 1 && mantissa << shift == high)
        mantissa &= ~(uint64_t)1;
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    if (mantissa >= (uint64_t)2 << 52) {
        mantissa = (uint64_t)1 << 52;
        exponent++;
    }
    if (exponent >= 0x7FF)
        return (uint64_t)0x7FF << 52;
    return (mantissa & ~((uint64_t)1 << 52)) | (uint64_t)exponent << 52;
}

/* Reads a number; where it ends, or null. */
static const char *number(const char *at, reading *of)
{
    const char *end = of->end;
    uint64_t w = 0, bits;
    long q = 0;
    int negative, whole = 1;
    if (at == end)
        return 0;
    /* No branch: signs cannot be foretold. */
    negative = *at == '-';
    at += negative;
    const char *first = at;
    while (at < end && is_digit(*at))
        w = w * 10 + (uint64_t)(*at++ - '0');
    long digits = at - first;
    if (digits == 0 || (digits > 1 && *first == '0'))
        return 0;
    if (at < end && *at == '.') {
        const char *fraction = ++at;
        at = digits_behind(at, end, &w);
        q = fraction - at;
        if (q == 0)
            return 0;
        digits -= q;
        whole = 0;
    }
    if (digits > MOST_DIGITS) {
        /* w is right all the same where the others are zeros in front. */
        for (const char *c = first; digits > MOST_DIGITS && (*c == '0' || *c == '.'); c++)
            digits -= *c == '0';
        if (digits > MOST_DIGITS)
            return 0;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        long exponent = 0;
        int below = ++at < end && *at == '-';
        at += below || (at < end && *at == '+');
        const char *begun = at;
        for (; at < end && is_digit(*at); at++)
            exponent = exponent < 100000 ? exponent * 10 + (*at - '0') : exponent;
        if (at == begun)
            return 0;
        q += below ? -exponent : exponent;
        whole = 0;
    }
    if (of->next == of->full)
        return 0;
    if (whole) {
        /* The integer -0 is 0, as for every reader that has integers. */
        *of->next++ = negative && w ? -(double)w : (double)w;
        return at;
    }
    bits = w ? nearest(w, q, of->powers) : 0;
    if (bits == (uint64_t)0x7FF << 52)
        return 0;
    bits |= (uint64_t)negative << 63;
    memcpy(of->next++, &bits, 8);
    return at;
}

/* Reads numbers up to the bracket that closes their list; what follows it, or null. */
static const char *numbers(const char *at, reading *of)
{
    for (;;) {
        at = number(after_space(at, of->end), of);
        if (!at)
            return 0;
        at = after_space(at, of->end);
        if (at == of->end || (*at != ',' && *at != ']'))
            return 0;
        if (*at++ == ']')
            return at;
    }
}

/* Reads the list that begins at text[begin]: of numbers, or of lists of numbers that are equally many.

   At most `room` numbers go to `values`; counts[0] becomes the number of inner lists, 0 where there are none, counts[1]
   that of the numbers. Returns the place behind the list, 0 where anything else stands there, an empty list included. */
EXPORTED long read_numbers(const char *text, long begin, long length, const uint64_t *powers, long room, double *values,
                           long *counts)
{
    reading of = {text + length, powers, values, values + room};
    const char *at = text + begin;
    counts[0] = counts[1] = 0;
    if (begin >= length || *at != '[')
        return 0;
    at = after_space(at + 1, of.end);
    if (at == of.end)
        return 0;
    if (*at != '[') {
        at = numbers(at, &of);
        counts[1] = of.next - values;
        return at ? at - text : 0;
    }
    for (long width = 0;;) {
        const double *before = of.next;
        if (at == of.end || *at != '[')
            return 0;
        at = numbers(at + 1, &of);
        if (!at)
            return 0;
        if (++counts[0] == 1)
            width = of.next - before;
        if (of.next - before != width)
            return 0;
        at = after_space(at, of.end);
        if (at == of.end || (*at != ',' && *at != ']'))
            return 0;
        if (*at++ == ']')
            break;
        at = after_space(at, of.end);
    }
    counts[1] = of.next - values;
    return at - text;
}
