// What a model is made of, as the caller hands it over. The layouts of `Shape` and `Pass` stand in compiled.py too.
#pragma once
#include <array>
#include <atomic>
#include <vector>

#include "pool.h"
#include "product.h"

namespace tk {

struct Shape {
    int32_t layers, hidden, heads, kv_heads, dim, inner, vocabulary, context, threads;
    int32_t silu, qk_norm, sandwich;
    float eps, embed_scale, attention_scale;
};

enum Part { QKV, O, GATE_UP, DOWN, PARTS };

struct Layer {
    Matrix matrix[PARTS];
    const float *input_norm, *attention_norm, *feed_norm, *fed_norm, *q_norm, *k_norm, *bias;
    const float *cos, *sin;  // [context][dim]; the first half of the sine negated
    int32_t window;
    float* pages;  // [pages][kv_heads][keys and values of 16 positions]
};

struct Adapter {
    std::vector<std::array<std::unique_ptr<Thin>, PARTS>> layers;
};

struct Pass {
    int32_t rows, wanted;
    const int32_t* ids;
    const int32_t* positions;
    const int32_t* const* pages;     // of each row: its stream's pages
    const Adapter* const* adapters;  // of each row, or null
    const int32_t* wanted_rows;      // ascending
    float* const* scores;            // of each wanted row: where its scores go, [vocabulary], or null
    int32_t* words;                  // of each wanted row: the most probable next word
    float* states;                   // [wanted][hidden]: their last hidden states, and then no words; or null
};

struct Model {
    Shape shape;
    std::vector<Layer> layers;
    Matrix head;
    const float *embedding, *final_norm;
    std::unique_ptr<Pool> pool;
    double seconds[4] = {};  // products, attention, what stands between, all

    // room for one pass, grown when a larger one comes
    int rows = 0, width = 0, wide = 0;
    Block<float> x, h, y, a, z, inner, size, room, gates;
    Block<uint8_t> bytes;
    std::vector<const Thin*> thin;
    std::vector<int32_t> at;
    std::vector<std::array<float, 2 * LANES>> best;
};

}  // namespace tk
