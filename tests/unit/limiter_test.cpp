// Chapter 12: places and tokens by key. The clock is an argument, so an hour is an addition.
#include "sio_demo.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using sio_demo::RateLimiter;
using Permit = RateLimiter::Permit;
using Held = std::map<std::string, std::size_t>;

RateLimiter::Time at(double seconds) {
  return RateLimiter::Time{} +
         std::chrono::duration_cast<RateLimiter::Time::duration>(std::chrono::duration<double>(seconds));
}

/// How many of ten attempts, all at this time, pass.
int passing(RateLimiter& limiter, const char* key, double seconds) {
  int passed = 0;
  for (int i = 0; i < 10; ++i) passed += !limiter.spend(key, at(seconds));
  return passed;
}

}  // namespace

// ---- Places -------------------------------------------------------------------------------------------

TEST_CASE("limiter: a key has so many places, and each key its own") {
  RateLimiter limiter({.concurrent = 2});
  auto first = limiter.acquire("a"), second = limiter.acquire("a");
  CHECK(first);
  CHECK(second);
  CHECK_FALSE(limiter.acquire("a"));
  auto other = limiter.acquire("b");
  CHECK(other);
  CHECK(limiter.held() == Held{{"a", 2}, {"b", 1}});
}

TEST_CASE("limiter: a permit gives its place back when it ends, whatever ends it") {
  RateLimiter limiter({.concurrent = 1});
  SUBCASE("the end of its scope") {
    { const auto permit = limiter.acquire("a"); }
    CHECK(limiter.acquire("a"));
  }
  SUBCASE("an exception") {
    try {
      const auto permit = limiter.acquire("a");
      throw 1;
    } catch (int) {}
    CHECK(limiter.acquire("a"));
  }
  SUBCASE("an assignment") {
    auto permit = limiter.acquire("a");
    permit = Permit();
    CHECK_FALSE(permit);
    CHECK(limiter.acquire("a"));
  }
  CHECK(limiter.held().empty());
  CHECK(limiter.keys() == 0);
}

TEST_CASE("limiter: a permit moves, and its place with it") {
  RateLimiter limiter({.concurrent = 1});
  auto permit = limiter.acquire("a");
  Permit moved = std::move(permit);
  CHECK_FALSE(permit);  // NOLINT: what is left of it is empty
  CHECK(moved);
  CHECK_FALSE(limiter.acquire("a"));
  std::vector<Permit> many;
  many.push_back(std::move(moved));
  for (int i = 0; i < 20; ++i) many.push_back(limiter.acquire("b" + std::to_string(i)));
  CHECK_FALSE(limiter.acquire("a"));
  many.clear();
  CHECK(limiter.held().empty());
}

TEST_CASE("limiter: a permit that takes another one's place gives up its own") {
  RateLimiter limiter({.concurrent = 1});
  auto permit = limiter.acquire("a");
  permit = limiter.acquire("b");
  CHECK(limiter.held() == Held{{"b", 1}});
}

TEST_CASE("limiter: an empty permit gives nothing back") {
  RateLimiter limiter({.concurrent = 1});
  const auto permit = limiter.acquire("a");
  { const auto refused = limiter.acquire("a"); }
  CHECK(limiter.held() == Held{{"a", 1}});
}

TEST_CASE("limiter: a permit may outlive its limiter") {
  std::optional<Permit> permit;
  {
    RateLimiter limiter({.concurrent = 1});
    permit.emplace(limiter.acquire("a"));
  }
  CHECK(*permit);
  permit.reset();
}

TEST_CASE("limiter: without a limit, places are counted all the same") {
  RateLimiter limiter({});
  std::vector<Permit> permits;
  for (int i = 0; i < 1000; ++i) permits.push_back(limiter.acquire("a"));
  CHECK(permits.back());
  CHECK(limiter.held() == Held{{"a", 1000}});
}

TEST_CASE("limiter: the key may be any bytes") {
  RateLimiter limiter({.concurrent = 1});
  const std::string zero("\0", 1);
  const auto empty = limiter.acquire(""), nul = limiter.acquire(zero);
  CHECK(empty);
  CHECK(nul);
  CHECK_FALSE(limiter.acquire(""));
  CHECK_FALSE(limiter.acquire(zero));
}

// ---- Tokens -------------------------------------------------------------------------------------------

TEST_CASE("limiter: a full bucket allows a burst, then its rate") {
  RateLimiter limiter({.burst = 3, .per_second = 2});
  CHECK(passing(limiter, "a", 100) == 3);
  CHECK(passing(limiter, "a", 100.4) == 0);
  CHECK(passing(limiter, "a", 100.5) == 1);
  CHECK(passing(limiter, "a", 101.5) == 2);
  CHECK(passing(limiter, "b", 101.5) == 3);
}

TEST_CASE("limiter: a bucket never holds more than a burst") {
  RateLimiter limiter({.burst = 3, .per_second = 2});
  CHECK(passing(limiter, "a", 100) == 3);
  CHECK(passing(limiter, "a", 1e6) == 3);
}

TEST_CASE("limiter: who is over the limit learns how long to wait, and that is enough") {
  RateLimiter limiter({.burst = 1, .per_second = 4});
  CHECK_FALSE(limiter.spend("a", at(10)));
  const auto wait = limiter.spend("a", at(10));
  REQUIRE(wait);
  CHECK(wait->count() == doctest::Approx(0.25));
  const auto less = limiter.spend("a", at(10.15));
  REQUIRE(less);
  CHECK(less->count() == doctest::Approx(0.1));
  CHECK_FALSE(limiter.spend("a", at(10.251)));
}

TEST_CASE("limiter: asking while over the limit does not prolong the wait") {
  RateLimiter limiter({.burst = 1, .per_second = 1});
  CHECK_FALSE(limiter.spend("a", at(10)));
  for (int i = 1; i < 100; ++i) CHECK(limiter.spend("a", at(10 + i * 0.01)));
  CHECK_FALSE(limiter.spend("a", at(11.001)));
}

TEST_CASE("limiter: a bucket without refill is for once") {
  RateLimiter limiter({.burst = 2});
  CHECK(passing(limiter, "a", 1) == 2);
  CHECK(passing(limiter, "a", 1e7) == 0);
  CHECK(limiter.spend("a", at(1e7))->count() > 0);
}

TEST_CASE("limiter: without a burst there is no limit, and no table grows") {
  RateLimiter limiter({.concurrent = 1});
  CHECK(passing(limiter, "a", 1) == 10);
  CHECK(limiter.keys() == 0);
}

TEST_CASE("limiter: the clock may begin anywhere, at zero, too") {
  for (const double begin : {-1000.0, 0.0, 1e6}) {
    CAPTURE(begin);
    RateLimiter limiter({.burst = 2, .per_second = 1});
    const auto permit = limiter.acquire("a");  // makes its entry before any time is known
    CHECK(passing(limiter, "a", begin) == 2);
    CHECK(passing(limiter, "a", begin + 1) == 1);
  }
}

TEST_CASE("limiter: a clock that goes backwards gives nothing away, and takes nothing") {
  RateLimiter limiter({.burst = 2, .per_second = 1});
  CHECK(passing(limiter, "a", 100) == 2);
  CHECK(passing(limiter, "a", 90) == 0);
  CHECK(passing(limiter, "a", 100) == 0);  // the same moment again: no second refill
  CHECK(passing(limiter, "a", 101) == 1);
}

// ---- The table ----------------------------------------------------------------------------------------

TEST_CASE("limiter: the table is bounded; new keys are refused rather than old ones forgotten") {
  RateLimiter limiter({.concurrent = 1, .max_keys = 3});
  std::vector<Permit> permits;
  for (const char* key : {"a", "b", "c"}) permits.push_back(limiter.acquire(key));
  CHECK_FALSE(limiter.acquire("d"));
  CHECK_FALSE(limiter.acquire("a"));  // not reset by the attempt
  CHECK(limiter.keys() == 3);
  permits.pop_back();
  CHECK(limiter.acquire("d"));
}

TEST_CASE("limiter: a flood of keys does not reset an offender") {
  RateLimiter limiter({.burst = 2, .per_second = 0.001, .max_keys = 3});
  CHECK(passing(limiter, "offender", 100) == 2);
  for (int i = 0; i < 1000; ++i) limiter.spend("flood" + std::to_string(i), at(100 + i * 0.001));
  CHECK(limiter.keys() <= 3);
  CHECK(passing(limiter, "offender", 101) == 0);
}

TEST_CASE("limiter: keys that are as good as new make room") {
  RateLimiter limiter({.burst = 1, .per_second = 1, .max_keys = 3});
  for (const char* key : {"a", "b", "c"}) CHECK_FALSE(limiter.spend(key, at(100)));
  CHECK(limiter.spend("d", at(100.5)));        // all of them are in use
  CHECK_FALSE(limiter.spend("d", at(101.6)));  // all of them have refilled meanwhile
  CHECK(limiter.keys() == 1);
}

TEST_CASE("limiter: a key that holds a place is never dropped, however full its bucket") {
  RateLimiter limiter({.concurrent = 1, .burst = 1, .per_second = 1, .max_keys = 2});
  const auto permit = limiter.acquire("a");
  CHECK_FALSE(limiter.spend("b", at(100)));
  CHECK_FALSE(limiter.spend("c", at(200)));
  CHECK_FALSE(limiter.acquire("a"));
  CHECK(limiter.held() == Held{{"a", 1}});
}

TEST_CASE("limiter: giving a place back does not refill the bucket") {
  RateLimiter limiter({.concurrent = 1, .burst = 1, .per_second = 0.001});
  {
    const auto permit = limiter.acquire("a");
    CHECK_FALSE(limiter.spend("a", at(100)));
  }
  CHECK(limiter.spend("a", at(101)));
}
