/* Gradients of the mean squared errors of two-layer ReLU networks with one output; float32, for GCC and AVX-512.

   Rows come in panels of 16: x[panel][c][16] with c the column, the last being the constant 1, and y[panel][16]. A panel
   that is not full is filled with zeros, constant included, which add nothing. With r = f - y and
   u_j = sum_i r_i [z_ij > 0] x_i, dR/dw_j is a_j u_j and dR/da_j is w_j . u_j, up to factors that are the caller's.

   Tiles of 4 neurons x 4 panels of z and of 4 neurons x 6 columns of u stay in registers, and h in cache. */

#if !defined(__x86_64__) || !defined(__GNUC__) || defined(__clang__)
#error "The tiles are laid out for AVX-512 and written for GCC; elsewhere torch's own routines are faster."
#endif
#pragma GCC target("avx512f,avx512dq,avx512vl,fma")

typedef float lanes __attribute__((vector_size(64), aligned(4), may_alias));
typedef int signs __attribute__((vector_size(64), aligned(4), may_alias));

#define LANES 16
#define PANELS 4
#define NEURONS 4
#define COLUMNS 6
#define BLOCK 32
#define INLINED static inline __attribute__((always_inline))

INLINED float sum_of(lanes v)
{
    v += __builtin_shuffle(v, (signs){8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7});
    v += __builtin_shuffle(v, (signs){4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11});
    v += __builtin_shuffle(v, (signs){2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13});
    return v[0] + v[1];
}

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
    lanes sums[NEURONS][COLUMNS] = {{{0}}};
    for (long p = 0; p < panels; p++) {
        lanes active[NEURONS];
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

#define REMAINDER(few)                                                                                                 \
    case few:                                                                                                          \
        collect(NEURONS, few, here, columns, rows + c * LANES, h + j * BLOCK, f, u + j * columns + c);                 \
        break;

static void one_network(long panels, long columns, long width, const float *x, const float *y, const float *w,
                        const float *a, float *u, lanes *h)
{
    for (long i = 0; i < width * columns; i++)
        u[i] = 0;
    for (long first = 0; first < panels; first += BLOCK) {
        long here = panels - first < BLOCK ? panels - first : BLOCK;
        const float *rows = x + first * columns * LANES;
        lanes f[BLOCK];
        for (long p = 0; p < here; p++)
            f[p] = -((const lanes *)y)[first + p];
        long p = 0;
        for (; p + PANELS <= here; p += PANELS) {
            long j = 0;
            for (; j + NEURONS <= width; j += NEURONS)
                activate(NEURONS, PANELS, columns, rows + p * columns * LANES, w + j * columns, a + j,
                         h + j * BLOCK + p, f + p);
            for (; j < width; j++)
                activate(1, PANELS, columns, rows + p * columns * LANES, w + j * columns, a + j, h + j * BLOCK + p,
                         f + p);
        }
        for (; p < here; p++)
            for (long j = 0; j < width; j++)
                activate(1, 1, columns, rows + p * columns * LANES, w + j * columns, a + j, h + j * BLOCK + p, f + p);
        long j = 0;
        for (; j + NEURONS <= width; j += NEURONS) {
            long c = 0;
            for (; c + COLUMNS <= columns; c += COLUMNS)
                collect(NEURONS, COLUMNS, here, columns, rows + c * LANES, h + j * BLOCK, f, u + j * columns + c);
            switch (columns - c) {
                REMAINDER(1) REMAINDER(2) REMAINDER(3) REMAINDER(4) REMAINDER(5)
            }
        }
        for (; j < width; j++)
            for (long c = 0; c < columns; c++)
                collect(1, 1, here, columns, rows + c * LANES, h + j * BLOCK, f, u + j * columns + c);
    }
}

/* Networks first..last-1; network b sees sample b / share. w and u are (networks, width, columns), a is (networks, width),
   and `scratch` holds width * 32 * 16 numbers. */
void relu_gradients(long first, long last, long share, long panels, long columns, long width, const float *x,
                    const float *y, const float *w, const float *a, float *u, float *scratch)
{
    for (long b = first; b < last; b++) {
        long row = b / share * panels * LANES;
        one_network(panels, columns, width, x + row * columns, y + row, w + b * width * columns, a + b * width,
                    u + b * width * columns, (lanes *)scratch);
    }
}
