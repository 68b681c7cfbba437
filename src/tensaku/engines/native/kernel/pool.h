// Threads that share one pass. Work of a phase is handed out piece by piece, so which thread does a piece is open; no
// result depends on it, since a piece computes whole numbers of its own.
#pragma once
#include <sched.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

namespace tk {

class Pool {
  public:
    explicit Pool(int threads) : size_(threads) {
        for (int i = 1; i < threads; i++) workers_.emplace_back([this, i] { work(i); });
    }
    ~Pool() {
        stop_ = true;
        round_.fetch_add(1);
        round_.notify_all();
        for (auto& worker : workers_) worker.join();
    }
    int size() const { return size_; }

    // Run `job(thread)` on every thread; `job` calls `meet` at the same places on each.
    void run(const std::function<void(int)>& job) {
        job_ = &job;
        round_.fetch_add(1, std::memory_order_release);
        round_.notify_all();
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
    static void rest(int i) {
        if (i < 4000) __builtin_ia32_pause();
        else sched_yield();  // somebody else needs the processor, maybe the thread we wait for
    }
    void work(int thread) {
        for (int seen = 0;;) {
            for (int i = 0; i < 2000 && round_.load(std::memory_order_acquire) == seen; i++) __builtin_ia32_pause();
            round_.wait(seen, std::memory_order_acquire);
            seen = round_.load(std::memory_order_acquire);
            if (stop_) return;
            (*job_)(thread);
            meet();
        }
    }

    const int size_;
    std::vector<std::thread> workers_;
    const std::function<void(int)>* job_ = nullptr;
    std::atomic<int> round_{0}, here_{0}, turn_{0}, next_{0};
    std::atomic<bool> stop_{false};
};

}  // namespace tk
