// Threads that share one pass, all of them or the first few. Work of a phase is handed out piece by piece, so which thread
// does a piece is open; no result depends on it, since a piece computes whole numbers of its own.
#pragma once
#include <sched.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace tk {

class Pool {
  public:
    explicit Pool(int threads) : most_(threads), size_(threads) {
        for (int i = 1; i < threads; i++) workers_.emplace_back([this, i] { work(i); });
    }
    ~Pool() {
        stop_ = true;
        begin(most_);
        for (auto& worker : workers_) worker.join();
    }
    int most() const { return most_; }
    int size() const { return size_; }  // of the round that runs

    // Run `job(thread)` on `threads` of the threads; `job` calls `meet` at the same places on each.
    void run(int threads, const std::function<void(int)>& job) {
        job_ = &job;
        size_ = threads;
        begin(threads);
        job(0);
        meet();
    }

    // Wait until all threads are here. The last one sets the counter of pieces back.
    void meet() {
        const int turn = turn_.load(std::memory_order_acquire);
        if (here_.fetch_add(1, std::memory_order_acq_rel) == size_ - 1) {
            here_.store(0, std::memory_order_relaxed);
            next_.store(0, std::memory_order_relaxed);
            turn_.store(turn + 1, std::memory_order_release);
            return;
        }
        for (int i = 0; turn_.load(std::memory_order_acquire) == turn; i++) rest(i);
    }

    // The next piece of this phase that nobody has taken.
    int take() { return next_.fetch_add(1, std::memory_order_relaxed); }

  private:
    // Number and size of a round are one word: a thread that wakes late can never take the size of one for another's.
    void begin(int threads) {
        const uint64_t number = (round_.load(std::memory_order_relaxed) >> SIZE_BITS) + 1;
        round_.store(number << SIZE_BITS | uint64_t(threads), std::memory_order_release);
        round_.notify_all();
    }
    static void rest(int i) {
        if (i < 4000) __builtin_ia32_pause();
        else sched_yield();  // somebody else needs the processor, maybe the thread we wait for
    }
    void work(int thread) {
        for (uint64_t seen = 0;;) {
            for (int i = 0; i < 2000 && round_.load(std::memory_order_acquire) == seen; i++) __builtin_ia32_pause();
            round_.wait(seen, std::memory_order_acquire);
            seen = round_.load(std::memory_order_acquire);
            if (stop_) return;
            if (thread >= int(seen & ((1u << SIZE_BITS) - 1))) continue;
            (*job_)(thread);
            meet();
        }
    }

    static constexpr int SIZE_BITS = 16;
    const int most_;
    int size_;
    std::vector<std::thread> workers_;
    const std::function<void(int)>* job_ = nullptr;
    std::atomic<uint64_t> round_{0};
    std::atomic<int> here_{0}, turn_{0}, next_{0};
    std::atomic<bool> stop_{false};
};

}  // namespace tk
