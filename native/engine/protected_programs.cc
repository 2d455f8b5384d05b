#include "engine/protected_programs.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

namespace hobble {
namespace {

constexpr std::string_view kUsual[] = {
    // init systems, and what a systemd host cannot do without
    "systemd", "systemd-executor", "systemd-journald", "systemd-logind", "systemd-udevd", "systemd-networkd", "systemd-resolved", "init",
    "openrc-init", "runit", "runsvdir", "s6-svscan", "dinit", "elogind", "elogind-daemon", "agetty", "login",
    // container runtimes
    "dockerd", "docker-proxy", "containerd", "containerd-shim", "containerd-shim-runc-v2", "runc", "crun", "crio", "conmon", "kubelet",
    // message buses
    "dbus-daemon", "dbus-broker", "dbus-broker-launch",
    // display servers
    "Xorg", "Xwayland", "gnome-shell", "kwin_wayland", "kwin_x11", "weston", "sway", "mutter",
    // other hobbles' guardians
    "hobble_guardian"};
// Only the one that listens: its children are users' sessions.
constexpr std::string_view kListener = "sshd";
constexpr std::string_view kDeleted = " (deleted)";

bool roots_alone(const struct stat& file) { return file.st_uid == 0 && (file.st_mode & (S_IWGRP | S_IWOTH)) == 0; }

bool executable_of(pid_t pid, struct stat& file) {
  char path[32];
  snprintf(path, sizeof path, "/proc/%d/exe", pid);
  return stat(path, &file) == 0;
}

}  // namespace

ProtectedPrograms::ProtectedPrograms(std::vector<std::string> more, bool usual) : more_(std::move(more)), usual_(usual) {}

// With the time of its last change: the number of a file that is gone is given to another.
ProtectedPrograms::FileId ProtectedPrograms::file_id(const struct stat& file) { return {file.st_dev, file.st_ino, to_nanos(file.st_ctim)}; }

ProtectedPrograms::Verdict ProtectedPrograms::judge(pid_t pid, const struct stat& file) const {
  char link[32];
  snprintf(link, sizeof link, "/proc/%d/exe", pid);
  std::array<char, 4096> target{};
  const ssize_t length = readlink(link, target.data(), target.size());
  if (length <= 0) return {};
  std::string path(target.data(), static_cast<size_t>(length));
  // An upgrade replaced it; the process still runs the old one.
  const bool replaced = path.size() > kDeleted.size() && path.ends_with(kDeleted);
  if (replaced) path.resize(path.size() - kDeleted.size());
  // The path is how the process sees it. In a mount namespace of one's own any file can be made to lie at any path: it counts only if we
  // find the same file there.
  struct stat here {};
  if (stat(path.c_str(), &here) != 0 || here.st_dev != file.st_dev || (!replaced && here.st_ino != file.st_ino)) return {};
  if (std::find(more_.begin(), more_.end(), path) != more_.end()) return {.path = path};
  if (!usual_ || !roots_alone(file) || !roots_alone(here)) return {};
  const std::string_view name = std::string_view(path).substr(path.rfind('/') + 1);
  if (name == kListener) return {.path = path, .listener_only = true};
  return std::find(std::begin(kUsual), std::end(kUsual), name) != std::end(kUsual) ? Verdict{.path = path} : Verdict{};
}

std::string ProtectedPrograms::match(pid_t pid, const ProcessStat& stat) {
  struct stat file {};
  // Not permitted to look: then not permitted to signal either.
  if ((more_.empty() && !usual_) || !executable_of(pid, file)) return "";
  const FileId id = file_id(file);
  auto known = verdicts_.find(id);
  if (known == verdicts_.end()) known = verdicts_.emplace(id, judge(pid, file)).first;
  const Verdict& verdict = known->second;
  if (!verdict.listener_only) return verdict.path;
  struct stat parent {};
  const bool child_of_another = executable_of(stat.parent, parent) && file_id(parent) == id;
  return child_of_another ? "" : verdict.path;
}

}  // namespace hobble
