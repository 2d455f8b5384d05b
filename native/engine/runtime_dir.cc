#include "engine/runtime_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "engine/error_text.h"

namespace hobble {
namespace {

constexpr char kSuffix[] = ".leases";

Error refuse(const std::string& path, const std::string& why) {
  return {Code::kRuntimeDir, 0,
          "the runtime directory " + path + " " + why +
              "; it must be a directory of yours that nobody else can read or write (mode 0700 or 0711)"};
}

std::vector<std::string> list_names(int directory) {
  std::vector<std::string> names;
  const int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return names;
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(copy), closedir);
  if (!stream) {
    close(copy);
    return names;
  }
  // Not shared with another thread, so it is safe.
  while (const dirent* const entry = readdir(stream.get())) {  // NOLINT(concurrency-mt-unsafe)
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  return names;
}

// A user's, where no login service has made one.
std::string directory_without_session() { return "/dev/shm/hobble-" + std::to_string(geteuid()); }

}  // namespace

std::string runtime_directory(const std::string& configured) {
  if (!configured.empty()) return configured;
  if (geteuid() == 0) return "/run/hobble";
  // Set for each session by the login service; a private tmpfs.
  const char* const session = secure_getenv("XDG_RUNTIME_DIR");
  if (session != nullptr && session[0] == '/') return std::string(session) + "/hobble";
  return directory_without_session();
}

Result<UniqueFd> open_runtime_directory(const std::string& path) {
  if (path.empty() || path[0] != '/') return refuse(path, "is not an absolute path");
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return refuse(path, "cannot be made: " + error_text(errno));
  UniqueFd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) {
    const int error = errno;
    struct stat link {};
    if (lstat(path.c_str(), &link) == 0 && S_ISLNK(link.st_mode)) return refuse(path, "is a symbolic link");
    return refuse(path, "cannot be opened: " + error_text(error));
  }
  struct stat status {};
  if (fstat(directory.get(), &status) != 0) return refuse(path, "cannot be looked at: " + error_text(errno));
  if (status.st_uid != geteuid()) return refuse(path, "belongs to another user (" + std::to_string(status.st_uid) + ")");
  // Entering it by name (x) lets others reach a socket beside the tables, which are readable by their owner only.
  if ((status.st_mode & 0066) != 0) return refuse(path, "is open to others");
  return directory;
}

std::vector<std::string> visible_runtime_directories(const std::string& own) {
  std::vector<std::string> found{own};
  const auto add = [&](const std::string& path) {
    struct stat status {};
    if (path == own || lstat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return;
    if (geteuid() == 0 || status.st_uid == geteuid()) found.push_back(path);
  };
  if (geteuid() != 0) {
    // Of a login session and without one: cron and su do not set what the session sets.
    add("/run/user/" + std::to_string(geteuid()) + "/hobble");
    add(directory_without_session());
    return found;
  }
  add("/run/hobble");
  const auto look_in = [&](const char* parent, const char* prefix, const char* suffix) {
    const UniqueFd directory(open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return;
    for (const std::string& name : list_names(directory.get())) {
      const std::string_view user = std::string_view(name).substr(std::min(name.size(), strlen(prefix)));
      const bool is_number = !user.empty() && user.find_first_not_of("0123456789") == std::string_view::npos;
      if (is_number && name.rfind(prefix, 0) == 0) add(std::string(parent) + "/" + name + suffix);
    }
  };
  look_in("/run/user", "", "/hobble");
  look_in("/dev/shm", "hobble-", "");
  return found;
}

long table_speaks_for(int directory, const struct stat& table) {
  struct stat folder {};
  if (fstat(directory, &folder) != 0) return static_cast<long>(table.st_uid);
  const uid_t user = folder.st_uid != 0 ? folder.st_uid : table.st_uid;
  return user == 0 && (folder.st_mode & 0022) == 0 ? -1 : static_cast<long>(user);
}

bool may_speak_of(long user, pid_t pid) {
  if (user < 0) return true;
  char path[32];
  snprintf(path, sizeof path, "/proc/%d", pid);
  struct stat process {};
  return stat(path, &process) == 0 && static_cast<long>(process.st_uid) == user;
}

std::vector<std::string> list_tables(int directory) {
  std::vector<std::string> tables;
  for (std::string& name : list_names(directory)) {
    if (name.size() > sizeof kSuffix && name.ends_with(kSuffix)) tables.push_back(std::move(name));
  }
  return tables;
}

}  // namespace hobble
