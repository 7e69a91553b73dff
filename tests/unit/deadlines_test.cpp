// Chapter 6: all deadlines of a server in one map, compared with the plainest thing that could work.
#include "sio_demo.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

using sio_demo::engineio::Deadlines;
using sio_demo::engineio::never;
using sio_demo::engineio::Time;

Time at(int milliseconds) { return Time{} + std::chrono::milliseconds(milliseconds); }

struct Alarm final : sio_demo::engineio::Timed {
  void tick(Time now) override {
    rung.push_back(now);
    if (then) then();
  }
  std::vector<Time> rung;
  std::function<void()> then;
};

}  // namespace

TEST_CASE("deadlines: without any, the next is never") {
  Deadlines deadlines;
  CHECK(deadlines.next() == never);
  CHECK(deadlines.size() == 0);
  deadlines.tick(at(1'000'000));
}

TEST_CASE("deadlines: each rings once, at its time or a little later, never before") {
  Deadlines deadlines;
  Alarm a, b;
  deadlines.set(a, at(20));
  deadlines.set(b, at(10));
  CHECK(deadlines.next() == at(10));
  deadlines.tick(at(9));
  CHECK(b.rung.empty());
  deadlines.tick(at(10));
  CHECK(b.rung == std::vector{at(10)});
  CHECK(a.rung.empty());
  CHECK(deadlines.next() == at(20));
  deadlines.tick(at(25));
  deadlines.tick(at(100));
  CHECK(a.rung == std::vector{at(25)});
  CHECK(b.rung.size() == 1);
  CHECK(deadlines.next() == never);
  CHECK(deadlines.size() == 0);
}

TEST_CASE("deadlines: what is due together rings in the order of the deadlines") {
  Deadlines deadlines;
  std::string order;
  Alarm alarms[3];
  for (int i = 0; i < 3; ++i) {
    alarms[i].then = [&order, i] { order += std::to_string(i); };
    deadlines.set(alarms[i], at(30 - 10 * i));
  }
  deadlines.tick(at(30));
  CHECK(order == "210");
}

TEST_CASE("deadlines: one that moves away does not ring at its old time") {
  Deadlines deadlines;
  Alarm alarm;
  deadlines.set(alarm, at(10));
  deadlines.set(alarm, at(20));
  CHECK(deadlines.next() <= at(20));  // may still be the old time: waking up for nothing is allowed
  deadlines.tick(at(15));
  CHECK(alarm.rung.empty());
  CHECK(deadlines.next() == at(20));
  deadlines.tick(at(20));
  CHECK(alarm.rung.size() == 1);
}

TEST_CASE("deadlines: one that moves nearer rings at its new time, once") {
  Deadlines deadlines;
  Alarm alarm;
  deadlines.set(alarm, at(20));
  deadlines.set(alarm, at(10));
  CHECK(deadlines.next() == at(10));
  deadlines.tick(at(10));
  deadlines.tick(at(20));
  CHECK(alarm.rung == std::vector{at(10)});
}

TEST_CASE("deadlines: away and back again") {
  Deadlines deadlines;
  Alarm alarm;
  deadlines.set(alarm, at(10));
  deadlines.set(alarm, at(30));
  deadlines.set(alarm, at(20));
  deadlines.tick(at(19));
  CHECK(alarm.rung.empty());
  deadlines.tick(at(20));
  CHECK(alarm.rung.size() == 1);
}

TEST_CASE("deadlines: never is no deadline") {
  Deadlines deadlines;
  Alarm alarm;
  deadlines.set(alarm, never);
  CHECK(deadlines.size() == 0);
  deadlines.set(alarm, at(10));
  deadlines.set(alarm, never);
  deadlines.tick(at(10));
  CHECK(alarm.rung.empty());
  CHECK(deadlines.next() == never);
}

TEST_CASE("deadlines: what is forgotten does not ring, and may be forgotten again") {
  Deadlines deadlines;
  Alarm a, b, c;
  deadlines.set(a, at(10)), deadlines.set(b, at(20)), deadlines.set(c, at(30));
  deadlines.forget(a);
  deadlines.forget(a);
  CHECK(deadlines.size() == 2);
  deadlines.tick(at(100));
  CHECK(a.rung.empty());
  CHECK(b.rung.size() == 1);
  CHECK(c.rung.size() == 1);
}

TEST_CASE("deadlines: a ringing one may set itself again, set others, forget and destroy others") {
  Deadlines deadlines;
  Alarm self, other, forgotten;
  auto destroyed = std::make_unique<Alarm>();
  self.then = [&] {
    if (self.rung.size() < 3) deadlines.set(self, self.rung.back() + std::chrono::milliseconds(10));
    if (self.rung.size() > 1) return;
    deadlines.set(other, at(10));  // due at once: in the same tick
    deadlines.forget(forgotten);
    deadlines.forget(*destroyed);
    destroyed.reset();
  };
  deadlines.set(self, at(10));
  deadlines.set(forgotten, at(10));
  deadlines.set(*destroyed, at(11));
  for (int now = 10; now <= 100; now += 10) deadlines.tick(at(now));
  CHECK(self.rung == std::vector{at(10), at(20), at(30)});
  CHECK(other.rung == std::vector{at(10)});
  CHECK(forgotten.rung.size() <= 1);
  CHECK(deadlines.size() == 0);
}

TEST_CASE("deadlines: whatever is set and forgotten, they ring as a plain list would") {
  std::mt19937 random(7);
  Deadlines deadlines;
  std::deque<Alarm> alarms(50);
  std::map<Alarm*, int> list;  // when each is due
  std::map<Alarm*, std::size_t> rings;
  int now = 0;
  for (int step = 0; step < 20'000; ++step) {
    Alarm& alarm = alarms[random() % alarms.size()];
    switch (random() % 8) {
      case 0: deadlines.forget(alarm), list.erase(&alarm); break;
      case 1: deadlines.set(alarm, never), list.erase(&alarm); break;
      case 2: {
        now += static_cast<int>(random() % 20);
        deadlines.tick(at(now));
        for (auto entry = list.begin(); entry != list.end();)
          entry->second <= now ? (++rings[entry->first], entry = list.erase(entry)) : ++entry;
        break;
      }
      default: {
        const int due = now + 1 + static_cast<int>(random() % 100);
        deadlines.set(alarm, at(due)), list[&alarm] = due;
      }
    }
    const auto first =
        std::min_element(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    if (first != list.end()) REQUIRE(deadlines.next() <= at(first->second));
  }
  for (Alarm& alarm : alarms) {
    CHECK(alarm.rung.size() == rings[&alarm]);
    deadlines.forget(alarm);
  }
  CHECK(deadlines.size() == 0);
}
