// Chapter 13: one timer, a fresh delay each time. The timer is a fake one, so that hours pass in a moment.
#include "sio_demo.hpp"

#include <doctest/doctest.h>

#include <asio/io_context.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using sio_demo::Milliseconds;

/// What a fake timer was asked for, and the wait it holds. The test lets it expire.
struct Clock {
  std::vector<Milliseconds> delays;
  std::function<void(const std::error_code&)> waiting;
  int cancelled = 0;

  void expire() {
    REQUIRE(waiting);
    std::exchange(waiting, nullptr)({});
  }
};

class FakeTimer {
 public:
  explicit FakeTimer(Clock* clock) : clock_(*clock) {}
  void expires_after(Milliseconds delay) { clock_.delays.push_back(delay); }
  template <class Handler>
  void async_wait(Handler handler) {
    clock_.waiting = std::move(handler);
  }
  void cancel() {
    ++clock_.cancelled;
    if (const auto handler = std::exchange(clock_.waiting, nullptr))
      handler(std::make_error_code(std::errc::operation_canceled));
  }

 private:
  Clock& clock_;
};

using Handlers = std::vector<std::function<void(const std::error_code&)>>;

/// A timer whose cancel() comes too late: it has expired, its handler is on its way.
class LateTimer {
 public:
  explicit LateTimer(Handlers* handlers) : handlers_(*handlers) {}
  void expires_after(Milliseconds) {}
  template <class Handler>
  void async_wait(Handler handler) {
    handlers_.push_back(std::move(handler));
  }
  void cancel() {}

 private:
  Handlers& handlers_;
};

using Broadcaster = sio_demo::Broadcaster<FakeTimer>;

}  // namespace

TEST_CASE("broadcaster: nothing before start, then a call per expiry") {
  Clock clock;
  int calls = 0;
  Broadcaster broadcaster(&clock, {Milliseconds(5), Milliseconds(15)}, [&] { ++calls; });
  CHECK_FALSE(broadcaster.running());
  CHECK_FALSE(clock.waiting);
  broadcaster.start();
  CHECK(broadcaster.running());
  CHECK(calls == 0);
  clock.expire();
  CHECK(calls == 1);
  clock.expire();
  CHECK(calls == 2);
}

TEST_CASE("broadcaster: a thousand delays lie in the range, reach both ends and all between, evenly") {
  Clock clock;
  Broadcaster broadcaster(&clock, {Milliseconds(5'000), Milliseconds(15'000)}, [] {});
  broadcaster.start();
  for (int round = 1; round < 1000; ++round) clock.expire();
  REQUIRE(clock.delays.size() == 1000);
  const auto [least, most] = std::minmax_element(clock.delays.begin(), clock.delays.end());
  CHECK(*least >= Milliseconds(5'000));
  CHECK(*most <= Milliseconds(15'000));
  for (int tenth = 0; tenth < 10; ++tenth) {
    const auto count = std::count_if(clock.delays.begin(), clock.delays.end(), [&](Milliseconds delay) {
      return delay >= Milliseconds(5'000 + 1'000 * tenth) && delay < Milliseconds(6'000 + 1'000 * tenth);
    });
    CAPTURE(tenth);
    CHECK(count > 40);  // 100 are expected; less than 40 happens once in 10^10 runs
    CHECK(count < 170);
  }
}

TEST_CASE("broadcaster: both ends of the range are possible") {
  Clock clock;
  Broadcaster broadcaster(&clock, {Milliseconds(1), Milliseconds(3)}, [] {});
  broadcaster.start();
  for (int round = 1; round < 1000; ++round) clock.expire();
  CHECK(std::set(clock.delays.begin(), clock.delays.end()) ==
        std::set{Milliseconds(1), Milliseconds(2), Milliseconds(3)});
}

TEST_CASE("broadcaster: a range of one value, and one that is upside down") {
  for (const auto most : {Milliseconds(7), Milliseconds(2)}) {
    Clock clock;
    Broadcaster broadcaster(&clock, {Milliseconds(7), most}, [] {});
    broadcaster.start();
    clock.expire();
    CHECK(clock.delays == std::vector{Milliseconds(7), Milliseconds(7)});
  }
}

TEST_CASE("broadcaster: stop means no further call") {
  Clock clock;
  int calls = 0;
  Broadcaster broadcaster(&clock, {Milliseconds(1), Milliseconds(1)}, [&] { ++calls; });
  broadcaster.start();
  clock.expire();
  broadcaster.stop();
  CHECK_FALSE(broadcaster.running());
  CHECK_FALSE(clock.waiting);
  CHECK(calls == 1);
  broadcaster.stop();
}

TEST_CASE("broadcaster: starting twice is starting once") {
  Clock clock;
  Broadcaster broadcaster(&clock, {Milliseconds(1), Milliseconds(1)}, [] {});
  broadcaster.start();
  broadcaster.start();
  CHECK(clock.delays.size() == 1);
}

TEST_CASE("broadcaster: the callback may stop it") {
  Clock clock;
  int calls = 0;
  Broadcaster* self = nullptr;
  Broadcaster broadcaster(&clock, {Milliseconds(1), Milliseconds(1)}, [&] { ++calls, self->stop(); });
  self = &broadcaster;
  broadcaster.start();
  clock.expire();
  CHECK(calls == 1);
  CHECK_FALSE(broadcaster.running());
  CHECK_FALSE(clock.waiting);
}

TEST_CASE("broadcaster: it can be started again, from within the callback, too") {
  Clock clock;
  int calls = 0;
  Broadcaster* self = nullptr;
  Broadcaster broadcaster(&clock, {Milliseconds(1), Milliseconds(1)}, [&] {
    if (++calls == 1) self->stop(), self->start();
  });
  self = &broadcaster;
  broadcaster.start();
  clock.expire();
  CHECK(broadcaster.running());
  clock.expire();
  CHECK(calls == 2);
  broadcaster.stop();
  broadcaster.start();
  clock.expire();
  CHECK(calls == 3);
}

TEST_CASE("broadcaster: a callback that throws does not stop it") {
  Clock clock;
  int calls = 0;
  Broadcaster broadcaster(&clock, {Milliseconds(1), Milliseconds(1)}, [&] {
    if (++calls == 1) throw std::runtime_error("out of strings");
  });
  broadcaster.start();
  CHECK_THROWS_AS(clock.expire(), std::runtime_error);  // it goes to whoever runs the loop
  CHECK(broadcaster.running());
  clock.expire();
  CHECK(calls == 2);
}

TEST_CASE("broadcaster: an expiry that stop() came too late for does nothing") {
  Handlers handlers;
  int calls = 0;
  auto broadcaster = std::make_unique<sio_demo::Broadcaster<LateTimer>>(
      &handlers, sio_demo::Broadcaster<LateTimer>::Range{Milliseconds(1), Milliseconds(1)}, [&] { ++calls; });
  broadcaster->start();
  broadcaster->stop();
  broadcaster->start();
  REQUIRE(handlers.size() == 2);
  handlers[0]({});  // of the first start
  CHECK(calls == 0);
  handlers[1]({});
  CHECK(calls == 1);
  REQUIRE(handlers.size() == 3);
  broadcaster.reset();
  handlers[2]({});  // it is gone
  CHECK(calls == 1);
}

TEST_CASE("broadcaster: with a real timer on a real loop") {
  asio::io_context loop;
  int calls = 0;
  std::unique_ptr<sio_demo::Broadcaster<>> broadcaster;
  broadcaster = std::make_unique<sio_demo::Broadcaster<>>(
      loop.get_executor(), sio_demo::Broadcaster<>::Range{Milliseconds(0), Milliseconds(1)}, [&] {
        if (++calls == 20) broadcaster->stop();
      });
  broadcaster->start();
  loop.run();
  CHECK(calls == 20);
}

TEST_CASE("broadcaster: destroyed while its timer runs, it leaves the loop free to end") {
  asio::io_context loop;
  {
    sio_demo::Broadcaster<> broadcaster(loop.get_executor(), {Milliseconds(3'600'000), Milliseconds(3'600'000)},
                                        [] { FAIL("it is gone"); });
    broadcaster.start();
  }
  loop.run();
}
