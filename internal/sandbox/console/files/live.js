// Keeps the page up to date without reloading. Everything works without it.
"use strict";
(function () {
  var status = document.getElementById("live");
  var clock = document.getElementById("clock");
  var main = document.getElementById("main");
  var topics = main.dataset.live.split(" ");
  var version = main.dataset.version;
  var source = null;
  var busy = false, stale = false, timer = 0;

  function say(text) {
    if (status.textContent !== text) status.textContent = text;
  }

  // Somebody who fills in a form or selects text must not lose it.
  function occupied() {
    var at = document.activeElement;
    var typing = at && main.contains(at) && /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName);
    var selection = getSelection();
    return typing || edited() || (!selection.isCollapsed && main.contains(selection.anchorNode));
  }

  function edited() {
    return Array.prototype.some.call(main.querySelectorAll("input, select"), function (field) {
      if (field.type === "checkbox") return field.checked !== field.defaultChecked;
      if (field.tagName === "INPUT") return field.value !== field.defaultValue;
      var initial = Array.prototype.findIndex.call(field.options, function (o) { return o.defaultSelected; });
      return field.selectedIndex !== Math.max(initial, 0);
    });
  }

  function later(wait) {
    clearTimeout(timer);
    timer = setTimeout(refresh, wait);
  }

  function refresh() {
    timer = 0;
    if (busy || !stale) return;
    if (occupied()) {
      say("有更新");
      later(1000);
      return;
    }
    var wait = 1000;
    busy = true;
    stale = false;
    fetch(location.href, { credentials: "same-origin" }).then(function (answer) {
      return answer.text();
    }).then(function (text) {
      var page = new DOMParser().parseFromString(text, "text/html");
      var fresh = page.getElementById("main");
      if (!fresh) throw new Error("not a page of the console");
      if (occupied()) {
        stale = true;
        return;
      }
      replace(fresh);
      offerCopies();
      version = fresh.dataset.version;
      say("自动更新");
    }).catch(function () {
      stale = true;
      wait = 5000;
      say("未能更新");
    }).then(function () {
      busy = false;
      later(wait);
    });
  }

  // name tells a link or button from the others, wherever it has moved to.
  function name(element) {
    return element.tagName + " " + (element.href || (element.form ? element.form.action : ""));
  }

  // The focus and how far things were scrolled stay.
  function replace(fresh) {
    var focused = main.contains(document.activeElement) ? name(document.activeElement) : "";
    var scrolled = Array.prototype.map.call(main.querySelectorAll(".scroll, pre"), function (e) {
      return [e.scrollLeft, e.scrollTop];
    });
    main.replaceChildren.apply(main, Array.prototype.map.call(fresh.childNodes, function (n) {
      return document.importNode(n, true);
    }));
    Array.prototype.forEach.call(main.querySelectorAll(".scroll, pre"), function (e, i) {
      if (scrolled[i]) {
        e.scrollLeft = scrolled[i][0];
        e.scrollTop = scrolled[i][1];
      }
    });
    if (!focused) return;
    var again = Array.prototype.find.call(main.querySelectorAll("a, button"), function (e) { return name(e) === focused; });
    if (again) again.focus({ preventScroll: true });
  }

  // A browser allows few connections to one host, so pages that nobody looks
  // at give theirs back.
  function listen() {
    if (document.hidden) {
      if (source) source.close();
      source = null;
      return;
    }
    if (source) return;
    source = new EventSource("/console/events?since=" + encodeURIComponent(version));
    source.onopen = function () { say("自动更新"); };
    source.onerror = function () {
      say("已断开");
      if (source && source.readyState === EventSource.CLOSED) {
        source = null;
        setTimeout(listen, 10000);
      }
    };
    source.addEventListener("clock", function (event) { clock.textContent = event.data; });
    source.addEventListener("change", function (event) {
      var changed = event.data.split(" ");
      if (topics.some(function (t) { return changed.indexOf(t) >= 0; })) {
        stale = true;
        if (!busy && !timer) refresh();
      }
    });
  }

  // What can be copied has a button that only a script can serve.
  function offerCopies() {
    if (!navigator.clipboard) return;
    Array.prototype.forEach.call(document.querySelectorAll(".copy"), function (b) { b.hidden = false; });
  }
  document.addEventListener("click", function (event) {
    var b = event.target;
    if (!b.classList.contains("copy")) return;
    navigator.clipboard.writeText(b.parentNode.nextElementSibling.textContent).then(function () {
      b.textContent = "已复制";
    }, function () { b.textContent = "未能复制"; });
  });
  offerCopies();

  if (!window.EventSource || !window.fetch || !window.DOMParser) return;
  document.addEventListener("visibilitychange", listen);
  listen();
})();
