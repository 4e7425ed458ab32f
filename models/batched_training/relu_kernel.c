/* Two-layer ReLU networks with one output: squared errors, their gradients, and steps of Adam; float32, for GCC.

   Compiled for vectors of LANES numbers: 8 for AVX2, 16 for AVX-512. Rows come in panels of LANES: x[panel][c][LANES] with
   c the column, the last being the constant 1, and y[panel][LANES]. A panel that is not full is filled with zeros,
   constant included, which add nothing. With r = f - y and u_j = sum_i r_i [z_ij > 0] x_i, dR/dw_j is a_j u_j and dR/da_j
   is w_j . u_j, up to factors that are the caller's.

   Tiles of NEURONS x PANELS of z and of GATHERED x COLUMNS of u stay in registers, and h in cache. */

#if !defined(__x86_64__) || !defined(__GNUC__) || defined(__clang__)
#error "The tiles are laid out for these vectors and written for GCC; elsewhere torch's own routines are faster."
#endif
#if LANES == 16
#pragma GCC target("avx512f,avx512dq,avx512vl,fma")
#define PANELS 4
#define GATHERED 4
#elif LANES == 8
#pragma GCC target("avx2,fma")
#define PANELS 3
#define GATHERED 2
#else
#error "LANES is 8 or 16."
#endif
#include <immintrin.h>

typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int signs __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

#define NEURONS 4
#define COLUMNS 6
#define BLOCK 32
#define INLINED static inline __attribute__((always_inline))

#if LANES == 16
INLINED float sum_of(lanes v)
{
    v += __builtin_shuffle(v, (signs){8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7});
    v += __builtin_shuffle(v, (signs){4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11});
    v += __builtin_shuffle(v, (signs){2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13});
    return v[0] + v[1];
}

INLINED lanes root_of(lanes v)
{
    return (lanes)_mm512_sqrt_ps((__m512)v);
}
#else
INLINED float sum_of(lanes v)
{
    v += __builtin_shuffle(v, (signs){4, 5, 6, 7, 0, 1, 2, 3});
    v += __builtin_shuffle(v, (signs){2, 3, 0, 1, 6, 7, 4, 5});
    return v[0] + v[1];
}

INLINED lanes root_of(lanes v)
{
    return (lanes)_mm256_sqrt_ps((__m256)v);
}
#endif

/* h of `neurons` neurons on `panels` panels, and their part of the outputs f. */
INLINED void activate(int neurons, int panels, long columns, const float *x, const float *w, const float *a, lanes *h,
                      lanes *f)
{
    lanes z[NEURONS][PANELS] = {{{0}}};
    for (long c = 0; c < columns; c++)
        for (int p = 0; p < panels; p++) {
            lanes value = *(const lanes *)(x + (p * columns + c) * LANES);
            for (int j = 0; j < neurons; j++)
                z[j][p] += w[j * columns + c] * value;
        }
    for (int j = 0; j < neurons; j++)
        for (int p = 0; p < panels; p++) {
            lanes positive = (lanes)((signs)z[j][p] & (z[j][p] > 0));
            h[j * BLOCK + p] = positive;
            f[p] += a[j] * positive;
        }
}

/* u of `neurons` neurons in `columns` columns, over `panels` panels. */
INLINED void collect(int neurons, int columns, long panels, long all, const float *x, const lanes *h, const lanes *r,
                     float *u)
{
    lanes sums[GATHERED][COLUMNS] = {{{0}}};
    for (long p = 0; p < panels; p++) {
        lanes active[GATHERED];
        for (int j = 0; j < neurons; j++)
            active[j] = (lanes)((signs)r[p] & (h[j * BLOCK + p] > 0));
        for (int c = 0; c < columns; c++) {
            lanes value = *(const lanes *)(x + (p * all + c) * LANES);
            for (int j = 0; j < neurons; j++)
                sums[j][c] += active[j] * value;
        }
    }
    for (int j = 0; j < neurons; j++)
        for (int c = 0; c < columns; c++)
            u[j * all + c] += sum_of(sums[j][c]);
}

/* h and the residuals r = f - y on `here` panels, at most BLOCK. */
static void residuals(long here, long columns, long width, const float *x, const float *y, const float *w,
                      const float *a, lanes *h, lanes *r)
{
    for (long p = 0; p < here; p++)
        r[p] = -((const lanes *)y)[p];
    long p = 0;
    for (; p + PANELS <= here; p += PANELS) {
        long j = 0;
        for (; j + NEURONS <= width; j += NEURONS)
            activate(NEURONS, PANELS, columns, x + p * columns * LANES, w + j * columns, a + j, h + j * BLOCK + p,
                     r + p);
        for (; j < width; j++)
            activate(1, PANELS, columns, x + p * columns * LANES, w + j * columns, a + j, h + j * BLOCK + p, r + p);
    }
    for (; p < here; p++) {
        long j = 0;
        for (; j + NEURONS <= width; j += NEURONS)
            activate(NEURONS, 1, columns, x + p * columns * LANES, w + j * columns, a + j, h + j * BLOCK + p, r + p);
        for (; j < width; j++)
            activate(1, 1, columns, x + p * columns * LANES, w + j * columns, a + j, h + j * BLOCK + p, r + p);
    }
}

#define REMAINDER(few)                                                                                                 \
    case few:                                                                                                          \
        collect(GATHERED, few, here, columns, rows + c * LANES, h + j * BLOCK, r, u + j * columns + c);                 \
        break;

/* u of one network. */
static void collect_all(long panels, long columns, long width, const float *x, const float *y, const float *w,
                        const float *a, float *u, lanes *h)
{
    for (long i = 0; i < width * columns; i++)
        u[i] = 0;
    for (long first = 0; first < panels; first += BLOCK) {
        long here = panels - first < BLOCK ? panels - first : BLOCK;
        const float *rows = x + first * columns * LANES;
        lanes r[BLOCK];
        residuals(here, columns, width, rows, y + first * LANES, w, a, h, r);
        long j = 0;
        for (; j + GATHERED <= width; j += GATHERED) {
            long c = 0;
            for (; c + COLUMNS <= columns; c += COLUMNS)
                collect(GATHERED, COLUMNS, here, columns, rows + c * LANES, h + j * BLOCK, r, u + j * columns + c);
            switch (columns - c) {
                REMAINDER(1) REMAINDER(2) REMAINDER(3) REMAINDER(4) REMAINDER(5)
            }
        }
        for (; j < width; j++)
            for (long c = 0; c < columns; c++)
                collect(1, 1, here, columns, rows + c * LANES, h + j * BLOCK, r, u + j * columns + c);
    }
}

/* sums[b] is the sum of r^2 of network b, which sees sample b / share; w is (networks, width, columns), a is (networks,
   width), and `scratch` holds width * BLOCK * LANES numbers. */
void relu_squares(long networks, long share, long panels, long columns, long width, const float *x, const float *y,
                  const float *w, const float *a, float *sums, float *scratch)
{
    for (long b = 0; b < networks; b++) {
        long row = b / share * panels * LANES;
        double sum = 0;
        for (long first = 0; first < panels; first += BLOCK) {
            long here = panels - first < BLOCK ? panels - first : BLOCK, start = row + first * LANES;
            lanes r[BLOCK], squares = {0};
            residuals(here, columns, width, x + start * columns, y + start, w + b * width * columns, a + b * width,
                      (lanes *)scratch, r);
            for (long p = 0; p < here; p++)
                squares += r[p] * r[p];
            sum += sum_of(squares);
        }
        sums[b] = sum;
    }
}

/* The first `count` of up to LANES numbers, then zeros. */
INLINED lanes some(const float *from, long count)
{
    if (count >= LANES)
        return *(const lanes *)from;
    lanes values = {0};
    for (long i = 0; i < count; i++)
        values[i] = from[i];
    return values;
}

INLINED void put(float *to, long count, lanes values)
{
    if (count >= LANES)
        *(lanes *)to = values;
    else
        for (long i = 0; i < count; i++)
            to[i] = values[i];
}

/* u to dR/dw and `outer` to dR/da, both times `scale`. */
static void finish(long columns, long width, float scale, const float *w, const float *a, float *u, float *outer)
{
    for (long j = 0; j < width; j++) {
        lanes product = {0};
        for (long c = 0; c < columns; c += LANES) {
            float *here = u + j * columns + c;
            lanes value = some(here, columns - c);
            product += value * some(w + j * columns + c, columns - c);
            put(here, columns - c, value * (scale * a[j]));
        }
        outer[j] = scale * sum_of(product);
    }
}

static void clip(long size, float largest, float *gradient)
{
    lanes squares = {0};
    for (long i = 0; i < size; i += LANES) {
        lanes value = some(gradient + i, size - i);
        squares += value * value;
    }
    float norm = _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(sum_of(squares))));
    if (!(norm > largest))
        return;
    for (long i = 0; i < size; i++)
        gradient[i] *= largest / norm;
}

/* One step of one network: schedule's factor, 1 - beta1^t, (1 - beta2^t)^(1/2), and 1 - the average's weight of the past. */
typedef struct {
    float factor, first, second, fresh;
} course;

static void adam(long size, const course *now, float rate, float decay, const float *gradient, float *theta, float *m,
                 float *v, float *average)
{
    float pace = rate * now->factor, step = pace / now->first, shrink = 1 - pace * decay;
    for (long i = 0; i < size; i += LANES) {
        long left = size - i;
        lanes g = some(gradient + i, left), first = some(m + i, left), second = some(v + i, left);
        first += (g - first) * 0.1f;
        second = second * 0.999f + g * g * 0.001f;
        lanes below = root_of(second) / now->second + 1e-8f;
        lanes moved = some(theta + i, left) * shrink - step * first / below;
        put(m + i, left, first);
        put(v + i, left, second);
        put(theta + i, left, moved);
        if (average) {
            lanes past = some(average + i, left);
            put(average + i, left, past + (moved - past) * now->fresh);
        }
    }
}

/* `steps` steps of every network; as above. The rows of a step begin `stride` samples after those of the step before.
   The pairs are theta (w, a), m, v and the averages (null: none), laid out as w and a are; `scale` is 2 alpha^2 / n,
   `largest` the norm at which gradients are clipped (0: none), and `scratch` holds width * (BLOCK * LANES + columns + 1)
   numbers. */
void relu_steps(long networks, long share, long panels, long columns, long width, const float *x, const float *y,
                float *const *pairs, const float *rates, const float *decays, const course *courses, long steps,
                long stride, float scale, float largest, float *scratch)
{
    long inner = width * columns;
    float *u = scratch + width * BLOCK * LANES;
    for (long b = 0; b < networks; b++) {
        float *of[8];
        for (long i = 0; i < 8; i++)
            of[i] = pairs[i] ? pairs[i] + b * (i % 2 ? width : inner) : 0;
        for (long t = 0; t < steps; t++) {
            long row = (t * stride + b / share) * panels * LANES;
            collect_all(panels, columns, width, x + row * columns, y + row, of[0], of[1], u, (lanes *)scratch);
            finish(columns, width, scale, of[0], of[1], u, u + inner);
            if (largest > 0)
                clip(inner + width, largest, u);
            adam(inner, courses + t, rates[b], decays[b], u, of[0], of[2], of[4], of[6]);
            adam(width, courses + t, rates[b], decays[b], u + inner, of[1], of[3], of[5], of[7]);
        }
    }
}
