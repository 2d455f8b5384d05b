// The directory that the tables of leases are in.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "engine/result.h"
#include "engine/unique_fd.h"

namespace hobble {

// `configured` if it is not empty; else /run/hobble for root, $XDG_RUNTIME_DIR/hobble, or /dev/shm/hobble-UID.
std::string runtime_directory(const std::string& configured);

// Opens it, and makes it (mode 0700) if need be. Refused with ERR_RUNTIME_DIR: a symbolic link, a directory of another user, or one that
// others may write to or read.
Result<UniqueFd> open_runtime_directory(const std::string& path);

// Where tables can be that we may look at: our own directory, and as root those of all users.
std::vector<std::string> visible_runtime_directories(const std::string& own);

// Whose processes a table may speak of: root's of everybody's (-1), a user's of that user's alone. A user can put any file into a directory
// of his.
long table_speaks_for(int directory, const struct stat& table);
bool may_speak_of(long user, pid_t pid);

// The names of the tables in an open directory.
std::vector<std::string> list_tables(int directory);

}  // namespace hobble
