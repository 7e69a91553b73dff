// One of two files that include the header and become one program: whatever the header defines and forgot to
// call inline is defined twice and does not link. Each file uses parts of it that the other does not.
#include "sio_demo.hpp"

namespace app {

// Names that a user's own namespace may have.
namespace std {}
namespace sio_demo {}

struct Reading {
  int number = 0;
};
SIO_DEMO_FIELDS(Reading, number)

enum class Unit { metre, foot };
SIO_DEMO_ENUM(Unit, metre, foot)

}  // namespace app

inline constexpr sio_demo::ClientToServer<"count", int(app::Reading, app::Unit)> count;

int default_port_in_b();

int main() {
  const sio_demo::Options options;
  static_cast<void>(count);
  return options.port == default_port_in_b() ? 0 : 1;
}
