// The one door to libjansson; only Sources/JSON imports it.
#include <jansson.h>
