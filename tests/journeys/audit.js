// What a page does wrong for people who do not see it well, a sentence each: WCAG 2.2 AA, the parts a program can tell.
() => {
  const faults = [];
  const named = (element) => element.outerHTML.slice(0, 120).replace(/\s+/g, " ");
  const spoken = (element) => [element.textContent, ...[...element.querySelectorAll("img")].map((image) => image.alt)].join("").trim();
  const shown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });

  // 1.3.1: one main heading, none left out below it
  const levels = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].filter(shown).map((heading) => +heading.tagName[1]);
  if (levels.filter((level) => level === 1).length !== 1) faults.push(`headings of level 1: ${levels}`);
  levels.forEach((level, at) => { if (at && level > levels[at - 1] + 1) faults.push(`heading levels jump: ${levels}`); });

  // 4.1.2: everything that can be operated has a name
  for (const control of document.querySelectorAll("input:not([type=hidden]):not([type=submit]), select, textarea")) {
    const name = control.getAttribute("aria-label") || [...control.labels].map(spoken).join("");
    if (shown(control) && !name) faults.push(`no name: ${named(control)}`);
  }
  for (const link of document.querySelectorAll("a[href], button, summary")) {
    const name = link.getAttribute("aria-label") || link.title || spoken(link);
    if (shown(link) && !name) faults.push(`no name: ${named(link)}`);
  }
  for (const image of document.querySelectorAll("img:not([alt])")) faults.push(`no alternative text: ${named(image)}`);
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  ids.filter((id, at) => ids.indexOf(id) !== at).forEach((id) => faults.push(`id twice: ${id}`));

  // 1.4.3: text stands out from what is behind it
  const colour = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, below) => ({
    r: top.r * top.a + below.r * (1 - top.a), g: top.g * top.a + below.g * (1 - top.a), b: top.b * top.a + below.b * (1 - top.a), a: 1,
  });
  const behind = (element) => {
    if (!element) return { r: 255, g: 255, b: 255, a: 1 };
    const own = colour(getComputedStyle(element).backgroundColor);
    return own.a === 1 ? own : over(own, behind(element.parentElement));
  };
  const light = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const contrast = (one, two) => {
    const [high, low] = [light(one), light(two)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !shown(element) || element.closest(".visually-hidden, svg, script, option, [disabled]")) continue;
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize);
    const wanted = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
    const ground = behind(element);
    const found = contrast(over(colour(style.color), ground), ground);
    if (found < wanted) faults.push(`contrast ${found.toFixed(2)} of ${wanted}: ${walker.currentNode.data.trim().slice(0, 40)} in ${named(element)}`);
  }
  return faults;
}
