{
  "target_defaults": {
    "include_dirs": ["native", "<!(node -p \"require('node-addon-api').include_dir\")"],
    "defines": ["NAPI_VERSION=9", "NODE_ADDON_API_DISABLE_DEPRECATED", "NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS"],
    "cflags_cc!": ["-std=gnu++17", "-std=c++17", "-fno-rtti"],
    "cflags_cc": ["-std=c++20", "-O2", "-Wall", "-Wextra", "-Wno-missing-field-initializers", "-fvisibility=hidden", "-fno-exceptions"],
    # The code of the addon must outlive a worker that loaded it: its threads are joined by a clean-up hook, its atexit handler runs later.
    "ldflags": ["-Wl,-z,nodelete", "-Wl,--as-needed"]
  },
  "conditions": [
    ["OS=='linux'", {
      "targets": [
        {
          "target_name": "hobble_engine",
          "sources": [
            "native/engine/addon.cc",
            "native/engine/births.cc",
            "native/engine/cgroup.cc",
            "native/engine/cycle.cc",
            "native/engine/emergency.cc",
            "native/engine/engine.cc",
            "native/engine/evasion.cc",
            "native/engine/foreign_stops.cc",
            "native/engine/accusations.cc",
            "native/engine/freezing.cc",
            "native/engine/guard.cc",
            "native/engine/guarding.cc",
            "native/engine/herald.cc",
            "native/engine/histogram.cc",
            "native/engine/lane.cc",
            "native/engine/lane_targets.cc",
            "native/engine/leases.cc",
            "native/engine/limiting.cc",
            "native/engine/membership.cc",
            "native/engine/neighbours.cc",
            "native/engine/planning.cc",
            "native/engine/fair_share.cc", "native/engine/pool_turns.cc",
            "native/engine/pooling.cc",
            "native/engine/process.cc",
            "native/engine/process_events.cc",
            "native/engine/procfs.cc",
            "native/engine/protected_programs.cc",
            "native/engine/readings.cc",
            "native/engine/realtime.cc",
            "native/engine/recovery.cc",
            "native/engine/retirement.cc",
            "native/engine/runtime_dir.cc",
            "native/engine/schedule.cc",
            "native/engine/scout.cc"
          ]
        },
        {
          "target_name": "hobble_host",
          "sources": [
            "native/host/account_names.cc",
            "native/host/addon.cc",
            "native/host/command.cc",
            "native/host/identify.cc",
            "native/host/probe.cc",
            "native/host/process_scan.cc",
            "native/host/process_watch.cc",
            "native/host/relay.cc",
            "native/host/unix_socket.cc",
            "native/engine/cgroup.cc",
            "native/engine/leases.cc",
            "native/engine/process.cc",
            "native/engine/process_events.cc",
            "native/engine/procfs.cc",
            "native/engine/realtime.cc",
            "native/engine/recovery.cc",
            "native/engine/runtime_dir.cc"
          ]
        },
        {
          "target_name": "hobble_guardian",
          "type": "executable",
          "sources": [
            "native/guardian/main.cc",
            "native/guardian/watch.cc",
            "native/engine/cgroup.cc",
            "native/engine/leases.cc",
            "native/engine/process.cc",
            "native/engine/procfs.cc",
            "native/engine/recovery.cc",
            "native/engine/runtime_dir.cc"
          ]
        }
      ]
    }, {
      "targets": [{ "target_name": "hobble_engine", "type": "none" }]
    }]
  ]
}
